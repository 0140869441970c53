//! A query in the language of FTS5.

use std::fmt::Write as _;

use session_core::search::Node;

/// The tree of a query as FTS5 reads it.
///
/// Tokens are letters and digits only, so there is nothing to escape.
pub(crate) fn fts5(node: &Node) -> String {
    let mut query = String::new();
    write(&mut query, node);
    query
}

fn write(query: &mut String, node: &Node) {
    match node {
        Node::Phrase(phrase) => {
            let star = if phrase.is_prefix() { "*" } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(query, "\"{}\"{star}", phrase.tokens().join(" "));
        }
        Node::Any(nodes) => list(query, nodes, " OR "),
        Node::All { of, except } if except.is_empty() => list(query, of, " AND "),
        Node::All { of, except } => {
            query.push('(');
            list(query, of, " AND ");
            query.push_str(" NOT ");
            list(query, except, " OR ");
            query.push(')');
        }
    }
}

fn list(query: &mut String, nodes: &[Node], by: &str) {
    query.push('(');
    for (index, node) in nodes.iter().enumerate() {
        query.push_str(if index == 0 { "" } else { by });
        write(query, node);
    }
    query.push(')');
}
