//! The model of histories: lists of what was said, looked at word by word.

use std::cmp::Reverse;

use session_core::Status;

use super::reference::{Outcome, Reference, Refusal};
use super::said::{Asked, Said, Stretch, WORDS, What, text};

impl Reference {
    pub(super) fn append(&mut self, id: u32, batch: &[Said], now: i64) -> Result<Outcome, Refusal> {
        let row = self.rows.get_mut(&id).ok_or(Refusal::NotFound)?;
        if row.trashed.is_some() {
            return Err(Refusal::Trashed);
        }
        if row.is_overdue(now) {
            return Err(Refusal::Ended(Status::Expired));
        }
        if row.is_final() {
            return Err(Refusal::Ended(row.status));
        }
        if batch.iter().any(|said| said.what == What::Stray) {
            return Err(Refusal::Invalid);
        }
        let (mut seqs, mut repeats) = (Vec::new(), Vec::new());
        let before = row.history.len();
        for (index, said) in batch.iter().enumerate() {
            let known = row.history.iter().position(|known| known.key == said.key);
            if known.is_some() {
                repeats.push(index);
            } else {
                if said.covers() > row.history.len() as u64 {
                    row.history.truncate(before);
                    return Err(Refusal::Invalid);
                }
                row.history.push(said.clone());
            }
            seqs.push(known.map_or(row.history.len(), |index| index + 1) as u64);
        }
        if row.history.len() > before {
            let titles = row.history[before..].iter().filter(|said| said.speaker() == Some(true));
            let title = titles.map(|said| text(said.words())).find(|title| !title.is_empty());
            row.title = row.title.take().or(title);
            row.active = row.active.max(now);
            row.updated = now;
            row.revision += 1;
        }
        let (revision, title) = (row.revision, row.title.clone());
        Ok(Outcome::Appended { seqs, repeats, revision, title })
    }

    pub(super) fn read(&self, id: u32, stretch: &Stretch) -> Result<Outcome, Refusal> {
        let row = self.rows.get(&id).ok_or(Refusal::NotFound)?;
        let all = 1..=row.history.len() as u64;
        let mut inside: Vec<u64> =
            all.filter(|number| *number >= stretch.from && *number <= stretch.to).collect();
        if stretch.backward {
            inside.reverse();
        }
        Ok(Outcome::Read(inside))
    }

    pub(super) fn context(&self, id: u32) -> Result<Outcome, Refusal> {
        let row = self.rows.get(&id).ok_or(Refusal::NotFound)?;
        let last = row.checkpoint();
        let mut texts = Vec::new();
        let mut covered = 0;
        if let Some(number) = last {
            texts.push((number as u64, WORDS[2].to_owned()));
            covered = row.history[number - 1].covers();
        }
        for (number, said) in (1..).zip(&row.history) {
            if number > covered && said.speaker().is_some() {
                texts.push((number, text(said.words())));
            }
        }
        let checkpoint = last.map(|number| number as u64);
        Ok(Outcome::Context { checkpoint, through: row.history.len() as u64, texts })
    }

    pub(super) fn search(&self, asked: &Asked) -> Outcome {
        let mut found = Vec::new();
        for row in self.rows.values() {
            let is_looked_into = row.trashed.is_none()
                && (asked.session.is_none() || asked.session == Some(row.id))
                && (asked.label.is_none() || asked.label == row.label);
            for (number, said) in (1..).zip(&row.history) {
                if is_looked_into
                    && (asked.user.is_none() || asked.user == said.speaker())
                    && asked.since.is_none_or(|since| said.at >= since)
                    && asked.until.is_none_or(|until| said.at < until)
                    && asked.query.is_said(said.words())
                {
                    found.push((said.at, row.id, number));
                }
            }
        }
        found.sort_by_key(|place| Reverse(*place));
        Outcome::Hits(found.into_iter().map(|(_, id, number)| (id, number)).collect())
    }
}
