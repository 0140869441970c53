//! The commands, one file each: what was typed in, one call or a few, what is printed out.

mod attach;
mod completions;
mod create;
mod detach;
mod doctor;
mod edit;
mod events;
mod export;
mod label;
mod list;
mod logs;
mod man;
mod message;
mod new;
mod prune;
mod rename;
mod resize;
mod rm;
mod screen;
mod send;
mod show;
mod stop;
mod store;
mod supervisor;
mod tour;
mod transcript;
mod trash;
mod viewing;
mod wait;

use crate::args::Command;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;

/// Does the command; without one, lists sessions.
pub(crate) fn run(invocation: &Invocation, command: Option<Command>) -> Result<Code, CliError> {
    match command {
        None => list::run(invocation, &crate::args::ListArgs::default()),
        Some(Command::Attach(args)) => attach::run(invocation, args),
        Some(Command::New(args)) => new::run(invocation, args),
        Some(Command::List(args)) => list::run(invocation, &args),
        Some(Command::Show(args)) => show::run(invocation, &args),
        Some(Command::Send(args)) => send::run(invocation, &args),
        Some(Command::Screen(args)) => screen::run(invocation, &args),
        Some(Command::Logs(args)) => logs::run(invocation, &args),
        Some(Command::Wait(args)) => wait::run(invocation, &args),
        Some(Command::Events(args)) => events::run(invocation, &args),
        Some(Command::Stop(args)) => stop::run(invocation, &args),
        Some(Command::Detach(args)) => detach::run(invocation, &args),
        Some(Command::Resize(args)) => resize::run(invocation, &args),
        Some(Command::Create(args)) => create::run(invocation, args),
        Some(Command::Edit(args)) => edit::run(invocation, &args),
        Some(Command::Rename(args)) => rename::run(invocation, &args),
        Some(Command::Label(args)) => label::run(invocation, &args),
        Some(Command::Rm(args)) => rm::run(invocation, &args),
        Some(Command::Message(args)) => message::run(invocation, args),
        Some(Command::Transcript(args)) => transcript::run(invocation, &args),
        Some(Command::Export(args)) => export::run(invocation, &args),
        Some(Command::Prune(args)) => prune::run(invocation, &args),
        Some(Command::Trash(args)) => trash::run(invocation, &args.command),
        Some(Command::Store(args)) => store::run(invocation, &args.command),
        Some(Command::Supervisor(args)) => supervisor::run(invocation, &args.command),
        Some(Command::Doctor) => doctor::run(invocation),
        Some(Command::Tour) => tour::run(invocation),
        Some(Command::Completions(args)) => completions::run(invocation, args.shell),
        Some(Command::Man(args)) => man::run(invocation, &args),
    }
}
