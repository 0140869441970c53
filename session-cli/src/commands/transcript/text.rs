//! Records as people read them: a heading, and under it, set in, what was said.
//!
//! Content is set in so that nothing that was said can look like a heading.

use session_core::record::{Block, Body, Checkpoint, Event, Image, Message, Summary, Usage};
use session_core::{RawJson, Record};

use crate::output::text::{shown, shown_lines};
use crate::output::{Output, Style};

/// A record with its heading, each line ended.
pub(super) fn of_record(out: &Output, record: &Record) -> String {
    let (seq, at, body) = (record.seq, record.entry.at, &record.entry.body);
    let what = match body {
        Body::Message(message) => message.role.as_str(),
        body => body.kind(),
    };
    let mut text = heading(out, &format!("#{seq}  {at}  {what}"));
    match body {
        Body::Message(message) => add_message(&mut text, message),
        Body::Note(note) => add(&mut text, &note.text),
        Body::Checkpoint(checkpoint) => add_line(&mut text, &of_checkpoint(checkpoint)),
        Body::Event(event) => add_line(&mut text, &of_event(event)),
        Body::Usage(usage) => add_line(&mut text, &of_usage(usage)),
        Body::Attachment(file) => {
            let size = file.size.map(|size| format!("{size} bytes"));
            let facts: Vec<_> = file.mime.iter().cloned().chain(size).collect();
            add_line(&mut text, &with_facts(&file.path, &facts));
        }
        Body::Meta(meta) => {
            let set = meta.set.iter().map(|(name, value)| format!("{name}={}", value.as_str()));
            add_line(&mut text, &set.collect::<Vec<_>>().join(" "));
        }
        Body::Lost(lost) => {
            add_line(&mut text, &format!("[damaged, and in quarantine] {}", lost.reason));
        }
        Body::Foreign(_) => {
            add_line(&mut text, "[a kind of record that this version does not know]");
        }
    }
    text
}

/// A message without a place in a history.
pub(super) fn of_message(out: &Output, message: &Message) -> String {
    let mut text = heading(out, message.role.as_str());
    add_message(&mut text, message);
    text
}

fn heading(out: &Output, words: &str) -> String {
    format!("{}\n", out.paint(&shown(words), Style::Strong))
}

fn add_message(text: &mut String, message: &Message) {
    for block in &message.content {
        match block {
            Block::Text(block) => add(text, &block.text),
            Block::Thinking(thought) if thought.text.is_empty() => {
                add(text, "[thinking that may not be read]");
            }
            Block::Thinking(thought) => add(text, &format!("[thinking] {}", thought.text)),
            Block::Image(image) => add(text, &of_image(image)),
            Block::ToolUse(call) => {
                let input = call.input.as_ref().map_or("", RawJson::as_str);
                add(text, &format!("[call {} {}] {input}", call.name, call.id));
            }
            Block::ToolResult(result) => {
                let word = if result.is_error { "error" } else { "result" };
                add(text, &format!("[{word} {}] {}", result.id, result.output));
                result.images.iter().for_each(|image| add(text, &of_image(image)));
            }
            Block::Foreign(_) => add(text, &format!("[{}]", block.kind())),
        }
    }
    if let Some(summary) = &message.summary {
        add(text, &format!("[summary] {summary}"));
    }
}

fn of_image(image: &Image) -> String {
    let mime = image.mime.as_deref().unwrap_or("image");
    match (&image.path, &image.data) {
        (Some(path), _) => format!("[{mime} {path}]"),
        // Four characters stand for three bytes.
        (None, Some(data)) => format!("[{mime}, {} bytes]", data.len() / 4 * 3),
        (None, None) => format!("[{mime}]"),
    }
}

fn of_checkpoint(checkpoint: &Checkpoint) -> String {
    let covers = match checkpoint.covers {
        Some(covers) => format!("stands for everything up to #{covers}"),
        None => "stands for nothing before it".to_owned(),
    };
    match &checkpoint.summary {
        Summary::Text(summary) => format!("{covers}: {summary}"),
        Summary::Messages(messages) => format!("{covers}: {} messages", messages.len()),
    }
}

fn of_event(event: &Event) -> String {
    let stream = event.stream.as_ref().map(|stream| format!("in {stream}"));
    let data = event.data.as_ref().map(|data| data.as_str().to_owned());
    let parts = [Some(event.kind.clone()), stream, data];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn of_usage(usage: &Usage) -> String {
    let tokens = &usage.tokens;
    let facts: Vec<_> = [
        ("input", tokens.input),
        ("output", tokens.output),
        ("from cache", tokens.cache_read),
        ("to cache", tokens.cache_write),
    ]
    .into_iter()
    .filter_map(|(name, number)| number.map(|number| format!("{name} {number}")))
    .chain(usage.cost_micros.map(|cost| format!("{cost} USD")))
    .collect();
    with_facts(usage.model.as_deref().unwrap_or("a model"), &facts)
}

fn with_facts(what: &str, facts: &[String]) -> String {
    if facts.is_empty() { what.to_owned() } else { format!("{what} ({})", facts.join(", ")) }
}

/// Adds all of a text.
fn add(text: &mut String, content: &str) {
    for line in shown_lines(content).trim_end_matches('\n').split('\n') {
        if !line.is_empty() {
            text.push_str("  ");
            text.push_str(line);
        }
        text.push('\n');
    }
}

/// Adds what fits on a line.
fn add_line(text: &mut String, content: &str) {
    const MOST: usize = 200;
    let mut line: String = content.chars().take(MOST).collect();
    if line.len() < content.len() {
        line.push('…');
    }
    text.push_str(&format!("  {}\n", shown(&line)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Caller;

    /// Every kind as FORMAT.md of the core shows it.
    const LINES: &str = r#"{"seq":2,"id":"msg_01","at":"2026-01-31T08:15:02.500Z","type":"message","message":{"role":"assistant","content":[{"type":"text","text":"One\r\n\ttwo \u001b[2J\n#9  fake  user\n"},{"type":"thinking","text":"Look first.","signature":"EqQB"},{"type":"tool_use","id":"t-9","name":"read","input":{"path":"a.rs"}},{"type":"tool_result","id":"t-9","output":"no such file","is_error":true},{"type":"image","mime":"image/png","data":"iVBORw0KGgo="}],"summary":"reads a.rs"}}
{"seq":3,"id":"c-1","at":"2026-01-31T08:15:03.000Z","type":"checkpoint","checkpoint":{"messages":[],"covers":1}}
{"seq":4,"id":"call-7","at":"2026-01-31T08:15:03.100Z","type":"usage","usage":{"tokens":{"input":90,"cache_read":1024},"cost_micros":1250,"model":"a-model"}}
{"seq":5,"id":"ev-7","at":"2026-01-31T08:15:03.200Z","type":"event","event":{"kind":"text","stream":"s-1","data":{"chunk":"ok"}}}
{"seq":6,"id":"a-1","at":"2026-01-31T08:15:03.300Z","type":"attachment","attachment":{"path":"/srv/out.png","size":2048,"mime":"image/png"}}
{"seq":7,"id":"m-1","at":"2026-01-31T08:15:04.000Z","type":"meta","meta":{"set":{"title":"Build"}}}
{"seq":8,"id":"n-1","at":"2026-01-31T08:15:05.000Z","type":"note","note":{"text":"flaky on Mondays"}}
{"seq":10,"id":"x-1","at":"2026-01-31T08:15:07.000Z","type":"hologram","hologram":{"beams":3.0}}"#;

    const SHOWN: &str = r"#2  2026-01-31T08:15:02.500Z  assistant
  One
  <tab>two \u{1b}[2J
  #9  fake  user
  [thinking] Look first.
  [call read t-9] {<path>:<a.rs>}
  [error t-9] no such file
  [image/png, 9 bytes]
  [summary] reads a.rs
#3  2026-01-31T08:15:03.000Z  checkpoint
  stands for everything up to #1: 0 messages
#4  2026-01-31T08:15:03.100Z  usage
  a-model (input 90, from cache 1024, 0.001250 USD)
#5  2026-01-31T08:15:03.200Z  event
  text in s-1 {<chunk>:<ok>}
#6  2026-01-31T08:15:03.300Z  attachment
  /srv/out.png (image/png, 2048 bytes)
#7  2026-01-31T08:15:04.000Z  meta
  title=<Build>
#8  2026-01-31T08:15:05.000Z  note
  flaky on Mondays
#10  2026-01-31T08:15:07.000Z  hologram
  [a kind of record that this version does not know]
";

    #[test]
    fn every_kind_is_shown_and_nothing_acts_on_a_terminal() {
        let out =
            Output::before_plan(&[], &Caller { stdout_is_terminal: false, ..Caller::capture() });
        let records = LINES.lines().map(|line| serde_json::from_str::<Record>(line).unwrap());
        let text: String = records.map(|record| of_record(&out, &record)).collect();
        assert_eq!(text, SHOWN.replace("<tab>", "\t").replace(['<', '>'], "\""));
    }
}
