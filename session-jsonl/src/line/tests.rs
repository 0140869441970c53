//! Lines as they are written, as others may write them, and as they may be damaged.

use session_core::record::{Message, Role};
use session_core::{Timestamp, record};

use super::*;

fn sample() -> Session {
    let now = Timestamp::from_millis(1_700_000_000_000);
    Session::new(SessionId::from_parts(now, 7), now)
}

fn entry(text: &str) -> Entry {
    let body = record::Body::Message(Message::text(Role::User, text));
    Entry::new(RecordId::parse("r-1").unwrap(), Timestamp::from_millis(0), body)
}

fn session_line() -> String {
    let mut line = String::new();
    push_session(&mut line, (1, 1), &sample()).unwrap();
    line
}

fn record_line() -> String {
    let mut line = String::new();
    push_record(&mut line, (1, 2), Seq::FIRST, &entry("said")).unwrap();
    line
}

fn read_session(line: &str) -> Result<Session, String> {
    let line = parse(line.as_bytes())?;
    match line.body {
        Body::Session(body) => line.session(body, sample().id()),
        body => panic!("{body:?}"),
    }
}

fn read_record(line: &str) -> Result<Record, String> {
    let line = parse(line.as_bytes())?;
    match line.body {
        Body::Record(body) => line.record(body),
        body => panic!("{body:?}"),
    }
}

#[test]
fn what_is_written_is_read() {
    let header = header(sample().id());
    let expected = Header { version: SCHEMA_VERSION, id: Some(sample().id()) };
    assert_eq!(parse_header(header.trim_end().as_bytes()), Ok(expected));
    assert_eq!(read_session(session_line().trim_end()), Ok(sample()));
    assert_eq!(read_record(record_line().trim_end()), Ok(entry("said").at(Seq::FIRST)));
    assert_eq!(glance(record_line().as_bytes()), Some(Seq::FIRST));
    assert_eq!(glance(session_line().as_bytes()), None);
}

#[test]
fn a_line_that_stands_alone_keeps_its_other_bytes() {
    let line = "{ \"new\":1e400, \"batch\" : [ 2, 3 ],\"type\":\"x\",\"y\":{\"batch\":[2,3]}}";
    let alone = alone(line).unwrap();
    assert_eq!(alone, line.replacen("[ 2, 3 ]", "[1,1]", 1));
    assert_eq!(parse(alone.as_bytes()).unwrap().of, 1);
}

#[test]
fn a_batch_is_its_records_and_the_state_after_them() {
    let entries = [entry("one"), entry("two"), entry("three")];
    let fresh = [(0, Seq::after(6)), (2, Seq::after(7))];
    let text = batch(&entries, &fresh, &sample()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(read_record(lines[0]), Ok(entries[0].clone().at(Seq::after(6))));
    assert_eq!(read_record(lines[1]), Ok(entries[2].clone().at(Seq::after(7))));
    assert_eq!(read_session(lines[2]), Ok(sample()));
    let places = lines.iter().map(|line| parse(line.as_bytes()).unwrap());
    let places: Vec<_> = places.map(|line| (line.at, line.of)).collect();
    assert_eq!(places, [(1, 3), (2, 3), (3, 3)]);
}

#[test]
fn members_may_come_in_any_order_and_with_others() {
    let written = record_line();
    let line = written.trim_end();
    let json = &line[line.find("{\"seq\"").unwrap()..line.len() - 1];
    for other in [
        format!("{{\"record\":{json},\"batch\":[1,2],\"type\":\"record\"}}"),
        format!("{{\"type\":\"record\",\"batch\":[1,2],\"record\":{json},\"new\":[{{}}]}}"),
        format!("{{ \"type\": \"record\", \"batch\": [1, 2], \"record\": {json} }}"),
        format!("{{\"type\":\"record\",\"batch\":[1,2],\"new\":1,\"record\":{json}}}"),
    ] {
        assert_eq!(read_record(&other), Ok(entry("said").at(Seq::FIRST)), "{other}");
    }
}

#[test]
fn glued_lines_are_refused() {
    let (record, session) = (record_line(), session_line());
    let (record, session) = (record.trim_end(), session.trim_end());
    assert!(read_record(&format!("{record}{session}")).is_err());
    assert!(read_record(&format!("{record}{record}")).is_err());
    assert!(read_session(&format!("{session}{record}")).is_err());
    let glued = format!("{session}{record}");
    assert!(parse(glued.as_bytes()).unwrap().skim().is_err());
    assert!(parse(session.as_bytes()).unwrap().skim().is_ok());
}

#[test]
fn every_cut_of_a_line_is_refused_in_words() {
    let (session, record) = (session_line(), record_line());
    for end in 0..session.len() - 1 {
        let bytes = &session.as_bytes()[..end];
        let read = parse(bytes).and_then(|_| read_session(&session[..end]));
        assert!(read.is_err(), "{end}");
        assert!(parse_header(bytes).is_err(), "{end}");
        assert!(begins_line(bytes), "{end}");
    }
    for end in 0..record.len() - 1 {
        assert!(read_record(&record[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_no_line_begins_with_is_told_from_what_one_does() {
    for bytes in ["x", "{\"a\":x", "{}}", "[", "{\"a\":\u{1}", "1", "{\"a\" 1"] {
        assert!(!begins_line(bytes.as_bytes()), "{bytes}");
    }
    for bytes in ["", "{", "{\"a\":\"\\", "{\"a\":[1,tr", "{}"] {
        assert!(begins_line(bytes.as_bytes()), "{bytes}");
    }
    assert!(begins_line("{\"é".as_bytes().split_last().unwrap().1), "half a character");
}

#[test]
fn a_line_that_would_be_too_long_is_not_written() {
    let mut sample = sample();
    sample.identity.title = Some("x".repeat(MAX_LINE));
    let refused = batch(&[], &[], &sample);
    assert!(matches!(refused, Err(StoreError::Unsupported { .. })));
    let refused =
        push_record(&mut String::new(), (1, 1), Seq::FIRST, &entry(&"x".repeat(MAX_LINE)));
    assert!(matches!(refused, Err(StoreError::Unsupported { .. })));
}
