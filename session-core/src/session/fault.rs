//! What makes a session none that can be stored and read back.

use std::borrow::Cow;

use super::{Binding, Conversation, Exchange, Health, Host, Launch, Lease, Origin, ProcessInput};
use super::{Session, SessionInput, Totals};
use crate::NameRules;
use crate::json::{Members, Unknown, stray_reason};
use crate::record::Tokens;

impl Session {
    /// Which rule it breaks that reading checks too, in words; `None` when it keeps them all.
    pub(super) fn broken_rule(&self) -> Option<&'static str> {
        let has_role = self.lease.as_ref().is_some_and(|lease| lease.role.is_some());
        if self.launch.as_ref().is_some_and(|launch| launch.argv.is_empty()) {
            return Some("its launch part names no program");
        }
        if self.identity.parent == Some(self.id()) {
            return Some("it is its own parent");
        }
        if has_role
            && self.name().is_some_and(|name| NameRules::SLUG.validate(name.as_str()).is_err())
        {
            return Some("its name breaks the rules that hold under a role");
        }
        None
    }

    /// Why it is no session that can be stored and read back, in words; `None` when it is one.
    pub(crate) fn fault(&self) -> Option<Cow<'static, str>> {
        self.broken_rule().map(Cow::Borrowed).or_else(|| self.stray().map(|it| stray_reason(&it)))
    }

    /// The place of a member that stands among the unknown ones of an object that knows it. Only one that was read in
    /// one place and put into another can do so.
    fn stray(&self) -> Option<String> {
        fn find<'a, T: Members>(
            place: &str,
            mut unknown: impl Iterator<Item = &'a Unknown>,
        ) -> Option<String> {
            unknown.find_map(|unknown| unknown.stray::<T>()).map(|name| format!("{place}{name}"))
        }
        let Self { identity, lease, process, conversation, exchange, .. } = self;
        let launch = self.launch.iter().map(|part| &part.unknown);
        let binding = lease.iter().filter_map(|part| Some(&part.binding.as_ref()?.unknown));
        let host = process.iter().filter_map(|part| Some(&part.host.as_ref()?.unknown));
        let health = process.iter().filter_map(|part| Some(&part.health.as_ref()?.unknown));
        let totals = conversation.iter().map(|part| &part.totals);
        find::<SessionInput>("", [&self.unknown].into_iter())
            .or_else(|| find::<Origin>("origins.", identity.origins.iter().map(|it| &it.unknown)))
            .or_else(|| find::<Lease>("lease.", lease.iter().map(|part| &part.unknown)))
            .or_else(|| find::<Binding>("lease.binding.", binding))
            .or_else(|| find::<Launch>("launch.", launch))
            .or_else(|| find::<ProcessInput>("process.", process.iter().map(|it| &it.unknown)))
            .or_else(|| find::<Host>("process.host.", host))
            .or_else(|| find::<Health>("process.health.", health))
            .or_else(|| {
                let unknown = conversation.iter().map(|part| &part.unknown);
                find::<Conversation>("conversation.", unknown)
            })
            .or_else(|| {
                find::<Totals>("conversation.totals.", totals.clone().map(|it| &it.unknown))
            })
            .or_else(|| {
                let unknown = totals.map(|it| &it.tokens.unknown);
                find::<Tokens>("conversation.totals.tokens.", unknown)
            })
            .or_else(|| find::<Exchange>("exchange.", exchange.iter().map(|part| &part.unknown)))
    }
}
