//! Where turns begin.

use std::collections::HashMap;

use llama_core::chat::{Message, Role};

/// How many messages at the beginning are instructions.
pub(super) fn instructions(messages: &[Message]) -> usize {
    let said = |message: &Message| !matches!(message.role, Role::System | Role::Developer);
    messages.iter().position(said).unwrap_or(messages.len())
}

/// Where each turn begins, in order. All messages after the instructions are in a turn, and no call of a tool is in
/// another turn than a result of it.
pub(super) fn starts(messages: &[Message]) -> Vec<usize> {
    let first = instructions(messages);
    let calls = calls(messages);
    // From the end: how far back the results reach that were seen so far.
    let mut reach = usize::MAX;
    let mut starts = Vec::new();
    for (i, message) in messages.iter().enumerate().skip(first).rev() {
        reach = reach.min(calls[i].unwrap_or(usize::MAX));
        if i == first || (message.role == Role::User && reach >= i) {
            starts.push(i);
        }
    }
    starts.reverse();
    starts
}

/// For each message that is a tool's result: where the call is. Results without a known id belong to the last message
/// that calls.
fn calls(messages: &[Message]) -> Vec<Option<usize>> {
    let mut by_id = HashMap::new();
    let mut last = None;
    let mut calls = Vec::with_capacity(messages.len());
    for (i, message) in messages.iter().enumerate() {
        if !message.tool_calls.is_empty() {
            last = Some(i);
            by_id.extend(message.tool_calls.iter().map(|call| (call.id.as_str(), i)));
        }
        let id = message.tool_call_id.as_deref().unwrap_or_default();
        let named = by_id.get(id).filter(|_| !id.is_empty()).copied();
        calls.push(if message.role == Role::Tool { named.or(last) } else { None });
    }
    calls
}
