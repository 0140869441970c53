//! `session show`: everything that is known of one session.

use session_core::record::Tokens;
use session_core::{Expiry, Session, Totals};
use session_pty::LiveSession;

use crate::args::ShowArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::json::OneSession;
use crate::output::text::{command_line, fields, program_state};

pub(crate) fn run(invocation: &Invocation, args: &ShowArgs) -> Result<Code, CliError> {
    let session = invocation.session(args.session.as_deref())?;
    print(invocation, &session)?;
    Ok(Code::Done)
}

/// Prints one session.
pub(crate) fn print(invocation: &Invocation, session: &Session) -> Result<(), CliError> {
    let live = if session.has_live_process() { invocation.live() } else { Default::default() };
    if invocation.out.is_json() {
        return invocation.out.object(&OneSession::new(session, live.of(session))?);
    }
    invocation.out.text(&described(session, live.of(session)))
}

fn described(session: &Session, live: Option<&LiveSession>) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let mut add = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
    let (identity, lifecycle) = (&session.identity, &session.lifecycle);
    add("name", session.name().map(ToString::to_string));
    add("id", Some(session.id().to_string()));
    add("title", identity.title.clone());
    add("status", Some(session.status().to_string()));
    let labels: Vec<_> =
        identity.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    add("labels", (!labels.is_empty()).then(|| labels.join(" ")));
    add("parent", identity.parent.map(|parent| parent.to_string()));
    if let Some(launch) = &session.launch {
        add("command", Some(command_line(&launch.argv)));
        add("tool", launch.tool.clone());
        add("directory", Some(launch.workdir.clone()));
        let names: Vec<_> = launch.env.keys().map(String::as_str).collect();
        add(
            "environment",
            (!names.is_empty()).then(|| format!("{} (values are not shown)", names.join(" "))),
        );
    }
    if let Some(process) = &session.process {
        add("program", Some(program_state(session)));
        add("process", process.pid.map(|pid| pid.to_string()));
        add("started", Some(process.started_at.to_string()));
        add("attached", process.last_attached_at.map(|at| at.to_string()));
    }
    if let Some(live) = live {
        add("viewers", Some(live.viewers.to_string()));
        add("size", Some(live.size.to_string()));
        add("terminal", live.title.clone());
    }
    if let Some(conversation) = &session.conversation {
        add("vendor", conversation.vendor.clone());
        add("endpoint", conversation.endpoint.clone());
        add("model", conversation.model.clone());
        add("workspace", conversation.workspace.clone());
        add("history", (conversation.totals.records > 0).then(|| history(&conversation.totals)));
        add("tokens", tokens(&conversation.totals.tokens));
        add("cost", conversation.totals.cost_micros.map(|cost| format!("{cost} USD")));
    }
    if let Some(lease) = &session.lease {
        add("role", lease.role.as_ref().map(ToString::to_string));
        let bound = lease.binding.iter().flat_map(|binding| {
            let parts =
                [("chat", &binding.chat), ("agent", &binding.agent), ("project", &binding.project)];
            parts.into_iter().filter(|(_, value)| !value.is_empty())
        });
        let bound: Vec<_> = bound.map(|(name, value)| format!("{name} {value}")).collect();
        add("bound to", (!bound.is_empty()).then(|| bound.join(", ")));
        add("lease ended", lease.ended_at.map(|at| at.to_string()));
    }
    if let Some(exchange) = &session.exchange {
        add("request", exchange.request.clone());
        add("response", exchange.response.clone());
        add("error", exchange.error.clone());
        let values =
            exchange.context.iter().map(|(key, value)| format!("{key}={}", value.as_str()));
        let values: Vec<_> = values.collect();
        add("context", (!values.is_empty()).then(|| values.join(" ")));
    }
    add("created", Some(lifecycle.created_at.to_string()));
    add("changed", Some(lifecycle.updated_at.to_string()));
    add("active", Some(lifecycle.last_active_at.to_string()));
    if lifecycle.expiry != Expiry::Never {
        add("expires", lifecycle.deadline().map(|at| at.to_string()));
    }
    add("ended", lifecycle.ended_at.map(|at| at.to_string()));
    fields(lines)
}

fn history(totals: &Totals) -> String {
    let checkpoint = totals.last_checkpoint.map(|seq| format!(", last checkpoint #{seq}"));
    format!(
        "{} records, {} of them messages{}",
        totals.records,
        totals.messages,
        checkpoint.unwrap_or_default()
    )
}

/// The numbers that are known.
fn tokens(tokens: &Tokens) -> Option<String> {
    let numbers = [
        ("input", tokens.input),
        ("output", tokens.output),
        ("from cache", tokens.cache_read),
        ("to cache", tokens.cache_write),
    ];
    let known =
        numbers.into_iter().filter_map(|(name, number)| Some(format!("{name} {}", number?)));
    let known: Vec<_> = known.collect();
    (!known.is_empty()).then(|| known.join(", "))
}
