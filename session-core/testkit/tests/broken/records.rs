//! Stores that treat histories wrongly.

use session_core::record::Body;
use session_core::{
    Appended, Entry, Hit, Hits, MemoryStore, Observer, Order, Query, Reading, Record, RecordId,
    RecordStore, Records, Role, Scope, Search, Seq, Session, SessionId, SessionStore,
    SessionStoreExt, StoreError, Timestamp, Totals,
};

use super::delegate::Faulty;
use super::{assert_noticed, model_notices, noticed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    AppendsHalfABatch,
    SplitsBatches,
    TakesAllForNew,
    LooksAhead,
    ForgetsRepeats,
    ChangesNumbers,
    CountsNothing,
    OverwritesTitles,
    AppendsAfterTheEnd,
    SkipsAtTheEdge,
    RepeatsAtTheEdge,
    ReadsBackwardForward,
    ReadsNoTrash,
    SearchesBehind,
    FindsTheTrash,
    FindsUnordered,
    LosesSearchTies,
    IgnoresSearches,
    FoldsRoles,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    store: MemoryStore,
}

impl Broken {
    fn records(&self, id: SessionId) -> Vec<Record> {
        self.store.history(id, Reading::ALL).map_while(Result::ok).collect()
    }

    /// The same entry under an id that nobody has.
    fn disguised(&self, id: SessionId, entry: &Entry) -> Entry {
        let records = self.records(id);
        if records.iter().all(|record| record.entry.id != entry.id) {
            return entry.clone();
        }
        let text = format!("{}~{}", entry.id, records.len());
        Entry { id: RecordId::parse(&text).unwrap_or(entry.id.clone()), ..entry.clone() }
    }

    fn uncounted(&self, mut session: Session) -> Session {
        if let Some(conversation) = &mut session.conversation
            && self.fault == Fault::CountsNothing
        {
            let records = conversation.totals.records;
            conversation.totals = Totals { records, ..Totals::default() };
        }
        session
    }
}

impl Faulty for Broken {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, store }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn get(&self, id: SessionId) -> Result<Session, StoreError> {
        self.store.get(id).map(|session| self.uncounted(session))
    }

    fn append(
        &self,
        id: SessionId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Appended, StoreError> {
        let whole = self.store.append(id, &[], at);
        match self.fault {
            Fault::AppendsHalfABatch => self.store.append(id, entries, at).inspect_err(|_| {
                let good = entries.iter().take_while(|entry| entry.unknown.is_empty());
                self.store.append(id, &good.cloned().collect::<Vec<_>>(), at).ok();
            }),
            Fault::SplitsBatches => {
                (0..).zip(entries).try_fold(whole?, |mut answer, (index, entry)| {
                    let one = self.store.append(id, std::slice::from_ref(entry), at)?;
                    answer.seqs.extend(one.seqs);
                    answer.repeats.extend(one.repeats.iter().map(|_| index));
                    Ok(Appended { seqs: answer.seqs, repeats: answer.repeats, ..one })
                })
            }
            Fault::TakesAllForNew => {
                let answer = self.store.append(id, entries, at)?;
                Ok(Appended { repeats: Vec::new(), ..answer })
            }
            Fault::LooksAhead => {
                let mut entries = entries.to_vec();
                for entry in &mut entries {
                    if let Body::Checkpoint(checkpoint) = &mut entry.body {
                        checkpoint.covers = None;
                    }
                }
                self.store.append(id, &entries, at)
            }
            Fault::ForgetsRepeats => {
                let entries: Vec<_> =
                    entries.iter().map(|entry| self.disguised(id, entry)).collect();
                self.store.append(id, &entries, at)
            }
            Fault::ChangesNumbers => {
                let changed = |entry: &Entry| {
                    let text = Record::json_of(Seq::FIRST, entry).unwrap();
                    let text = text.as_str().replace("0.10", "0.1");
                    serde_json::from_str::<Record>(&text).map_or(entry.clone(), |it| it.entry)
                };
                self.store.append(id, &entries.iter().map(changed).collect::<Vec<_>>(), at)
            }
            Fault::OverwritesTitles => {
                let answer = self.store.append(id, entries, at)?;
                let mut session = self.store.get(id)?;
                let said = entries.iter().find_map(|entry| match &entry.body {
                    Body::Message(message) if message.role == Role::User => message.texts().next(),
                    _ => None,
                });
                let Some(said) = said else { return Ok(answer) };
                session.identity.title = Some(said.to_owned());
                let session = self.store.update(session, at)?;
                let revision = session.lifecycle.revision;
                Ok(Appended { revision, title: session.identity.title, ..answer })
            }
            Fault::AppendsAfterTheEnd => match self.store.append(id, entries, at) {
                Err(StoreError::Ended { .. }) => {
                    let session = self.store.get(id)?;
                    let revision = session.lifecycle.revision;
                    let (seqs, repeats) = (Vec::new(), Vec::new());
                    Ok(Appended { seqs, repeats, revision, title: session.identity.title })
                }
                answer => answer,
            },
            _ => self.store.append(id, entries, at),
        }
    }

    fn read(&self, id: SessionId, reading: &Reading) -> Result<Records, StoreError> {
        let mut page = self.store.read(id, reading)?;
        match self.fault {
            Fault::ForgetsRepeats => {
                for record in &mut page.records {
                    let text = record.entry.id.as_str();
                    let text = text.split('~').next().unwrap_or(text);
                    record.entry.id = RecordId::parse(text).unwrap();
                }
            }
            Fault::SkipsAtTheEdge => {
                page.next = page.next.and_then(|next| match next.order {
                    Order::Forward => next.beyond(next.from),
                    Order::Backward => next.beyond(next.to),
                });
            }
            Fault::RepeatsAtTheEdge => {
                if let (Some(next), Some(last)) = (&mut page.next, page.records.last())
                    && page.records.len() > 1
                {
                    match next.order {
                        Order::Forward => next.from = last.seq,
                        Order::Backward => next.to = last.seq,
                    }
                }
            }
            Fault::ReadsBackwardForward => page.records.sort_by_key(|record| record.seq),
            Fault::ReadsNoTrash if self.store.get(id)?.is_trashed() => {
                return Err(StoreError::Trashed { id });
            }
            _ => {}
        }
        Ok(page)
    }

    fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        let question = search.fingerprint();
        let mut search = search.clone();
        match (self.fault, &mut search.cursor) {
            (Fault::LosesSearchTies, Some(cursor)) => {
                cursor.place.session = SessionId::from_parts(Timestamp::from_millis(0), 0);
            }
            (Fault::IgnoresSearches, Some(cursor)) => {
                (cursor.search, cursor.generation) = (question, 0);
            }
            _ => {}
        }
        if self.fault == Fault::FoldsRoles {
            search.role = None;
        }
        let mut found = self.store.search(&search)?;
        match self.fault {
            Fault::SearchesBehind => found.hits.retain(|hit| {
                let records = self.store.get(hit.session).map(|session| session.totals().records);
                records.is_ok_and(|records| hit.seq.get() < records)
            }),
            Fault::FindsTheTrash => {
                let observer = Observer { now: Timestamp::from_millis(0), live_host: None };
                let mut query = Query::new(observer);
                query.scope = Scope::Trash;
                for session in self.store.list(&query)?.sessions {
                    for record in self.records(session.id()) {
                        if search.expression.matches(&record.entry.text()) {
                            found.hits.push(Hit::of(&search, &session, &record));
                        }
                    }
                }
                found.hits.sort_by_key(|hit| std::cmp::Reverse(hit.place()));
            }
            Fault::FindsUnordered => found.hits.sort_by_key(|hit| (hit.session, hit.seq)),
            _ => {}
        }
        Ok(found)
    }
}

noticed! {
    halves_of_batches_are_noticed: AppendsHalfABatch by [
        "append::leaves_nothing_of_a_refused_batch",
    ] and model_notices;
    split_batches_are_noticed: SplitsBatches by [
        "append::changes_the_session_too",
        "racing::appends_to_one_session_line_up",
    ] and model_notices;
    repeats_that_are_not_told_are_noticed: TakesAllForNew by [
        "repeats::are_told_from_what_is_new",
        "repeats::change_nothing",
    ] and model_notices;
    checkpoints_of_the_future_are_noticed: LooksAhead by [
        "context::refuses_to_cover_what_is_not_there",
    ] and model_notices;
    forgotten_repeats_are_noticed: ForgetsRepeats by [
        "repeats::change_nothing",
        "repeats::let_the_new_pass",
        "repeats::never_replace",
        "repeats::are_found_by_everybody",
        "repeats::are_found_within_the_reach",
        "repeats::are_told_by_every_byte",
        "racing::appends_of_the_same_are_one",
    ] and model_notices;
    changed_numbers_are_noticed: ChangesNumbers by [
        "append::keeps_every_kind",
        "append::keeps_what_is_unheard_of",
    ];
    uncounted_records_are_noticed: CountsNothing by [
        "append::counts_what_was_appended",
        "append::changes_the_session_too",
        "totals::are_kept_by_an_update",
    ] and model_notices;
    overwritten_titles_are_noticed: OverwritesTitles by [
        "append::keeps_a_title",
        "append::names_an_untitled_session",
    ] and model_notices;
    appends_after_the_end_are_noticed: AppendsAfterTheEnd by [
        "append::refuses_what_has_ended",
        "append::moves_an_idle_deadline",
    ] and model_notices;
    skipped_records_are_noticed: SkipsAtTheEdge by [
        "history::pages_join_to_the_stretch",
        "racing::readers_see_each_record_once",
    ] and model_notices;
    repeated_records_are_noticed: RepeatsAtTheEdge by [
        "history::pages_join_to_the_stretch",
        "racing::readers_see_each_record_once",
    ] and model_notices;
    wrong_directions_are_noticed: ReadsBackwardForward by [
        "history::gives_every_stretch",
        "history::pages_join_to_the_stretch",
    ] and model_notices;
    unreadable_trash_is_noticed: ReadsNoTrash by [
        "history::is_read_from_the_trash",
        "context::is_every_message",
    ] and model_notices;
    searches_that_lag_are_noticed: SearchesBehind by [
        "search::finds_what_was_just_appended",
        "racing::searchers_find_what_was_acknowledged",
    ] and model_notices;
    found_trash_is_noticed: FindsTheTrash by [
        "search::leaves_out_the_trash",
        "search::agrees_with_looking_at_everything",
    ] and model_notices;
    unordered_hits_are_noticed: FindsUnordered by [
        "search::orders_by_time",
        "search::agrees_with_looking_at_everything",
    ] and model_notices;
    lost_hits_are_noticed: LosesSearchTies by ["search::pages_join_to_the_whole"] and model_notices;
    ignored_searches_are_noticed: IgnoresSearches by [
        "search::refuses_the_cursor_of_another_search",
        "search::refuses_the_cursor_of_another_generation",
    ];
    ignored_roles_are_noticed: FoldsRoles by ["search::keeps_to_session_role_and_time"] and model_notices;
}
