//! What was said in a chat: messages in turns, and which of them go when the context is full.

use llama_runtime::{Message, Role};

/// A system message, if there is one, and then turns: a message of the user and the answer to it.
#[derive(Debug)]
pub(crate) struct Conversation {
    messages: Vec<Message>,
    /// Messages at the beginning that always stay.
    kept: usize,
}

impl Conversation {
    pub(crate) fn new(system: Option<&str>) -> Self {
        let messages: Vec<Message> = system.map(Message::system).into_iter().collect();
        Self { kept: messages.len(), messages }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.messages.push(Message::user(text));
    }

    pub(crate) fn answer(&mut self, text: String) {
        self.messages.push(Message::assistant(text));
    }

    /// Takes back the last answer, or what was said last if there was none.
    pub(crate) fn take_back(&mut self) {
        if self.messages.len() > self.kept {
            self.messages.pop();
        }
    }

    /// Takes back the last answer, so that there can be another. False if there is nothing to answer.
    pub(crate) fn reopen(&mut self) -> bool {
        if self.messages.last().is_some_and(|message| message.role == Role::Assistant) {
            self.messages.pop();
        }
        self.messages.len() > self.kept
    }

    /// Forgets everything but the system message.
    pub(crate) fn clear(&mut self) {
        self.messages.truncate(self.kept);
    }

    /// Forgets the oldest turns until `tokens` of the rest is at most `limit`. The last turn stays in any case. Returns
    /// how many turns were forgotten.
    ///
    /// # Errors
    ///
    /// Those of `tokens`.
    pub(crate) fn trim<E>(
        &mut self,
        limit: usize,
        mut tokens: impl FnMut(&[Message]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut forgotten = 0;
        while tokens(&self.messages)? > limit {
            let next = self.messages.iter().skip(self.kept + 1).position(|message| message.role == Role::User);
            let Some(next) = next else { break };
            self.messages.drain(self.kept..=self.kept + next);
            forgotten += 1;
        }
        Ok(forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn three_turns() -> Conversation {
        let mut conversation = Conversation::new(Some("s"));
        for turn in ["1", "2"] {
            conversation.say(turn);
            conversation.answer(format!("re {turn}"));
        }
        conversation.say("3");
        conversation
    }

    fn texts(conversation: &Conversation) -> Vec<String> {
        conversation.messages().iter().map(|message| message.content.to_text()).collect()
    }

    fn trim(conversation: &mut Conversation, limit: usize) -> usize {
        conversation.trim(limit, |messages| Ok::<_, Infallible>(messages.len())).unwrap()
    }

    #[test]
    fn trimming_forgets_whole_turns_from_the_oldest() {
        let mut conversation = three_turns();
        assert_eq!(trim(&mut conversation, 6), 0);
        assert_eq!(trim(&mut conversation, 5), 1);
        assert_eq!(texts(&conversation), ["s", "2", "re 2", "3"]);
    }

    #[test]
    fn the_system_message_and_the_last_turn_stay() {
        let mut conversation = three_turns();
        assert_eq!(trim(&mut conversation, 0), 2);
        assert_eq!(texts(&conversation), ["s", "3"]);
    }

    #[test]
    fn an_answer_can_be_given_again_but_only_to_something() {
        let mut conversation = three_turns();
        conversation.answer("re 3".into());
        assert!(conversation.reopen());
        assert_eq!(texts(&conversation), ["s", "1", "re 1", "2", "re 2", "3"]);
        assert!(conversation.reopen(), "an unanswered message can be answered");
        conversation.clear();
        assert_eq!(texts(&conversation), ["s"]);
        assert!(!conversation.reopen());
        conversation.take_back();
        assert_eq!(texts(&conversation), ["s"]);
    }
}
