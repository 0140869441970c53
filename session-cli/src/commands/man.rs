//! `session man`: manual pages, made of the same definition as the help.

use std::fs;
use std::path::Path;

use clap_mangen::Man;

use crate::args::{self, ManArgs};
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;

pub(crate) fn run(invocation: &Invocation, args: &ManArgs) -> Result<Code, CliError> {
    let pages = pages()?;
    if let Some(directory) = &args.dir {
        let directory = invocation.plan.caller.absolute(directory)?;
        write_all(&directory, &pages)?;
        invocation.out.note(&format!("{} pages in {}", pages.len(), directory.display()));
        return Ok(Code::Done);
    }
    let wanted = match &args.command {
        Some(command) => format!("session-{command}.1"),
        None => "session.1".to_owned(),
    };
    let Some((_, page)) = pages.iter().find(|(file, _)| *file == wanted) else {
        let command = args.command.as_deref().unwrap_or_default();
        return Err(CliError::usage(format!("there is no command {command:?}"))
            .hint("`session --help` lists them"));
    };
    invocation.out.bytes(page)?;
    Ok(Code::Done)
}

fn write_all(directory: &Path, pages: &[(String, Vec<u8>)]) -> Result<(), CliError> {
    let failed = |source| CliError::io(&format!("writing to {}", directory.display()), &source);
    fs::create_dir_all(directory).map_err(failed)?;
    pages.iter().try_for_each(|(file, page)| fs::write(directory.join(file), page).map_err(failed))
}

/// File name and text of every page, the commands of commands included.
fn pages() -> Result<Vec<(String, Vec<u8>)>, CliError> {
    let mut definition = args::definition();
    definition.build();
    let mut pages = Vec::new();
    add(&mut pages, &definition)?;
    Ok(pages)
}

fn add(pages: &mut Vec<(String, Vec<u8>)>, command: &clap::Command) -> Result<(), CliError> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).map_err(|source| CliError::io("writing a manual page", &source))?;
    pages.push((man.get_filename(), page));
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set() && child.get_name() != "help")
        .try_for_each(|child| add(pages, child))
}
