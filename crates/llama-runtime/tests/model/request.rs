//! A mailbox as the tests use it, and an engine's ear.

use shuttle::sync::{Arc, Condvar, Mutex};

use crate::mailbox::{Finisher, Item, Listener, Receiver, Sender, mailbox};

/// Who ended the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Engine,
    Timer,
    Canceller,
    Abandoned,
}

/// Hears the reader, and wakes who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    heard: Mutex<Heard>,
    rung: Condvar,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) cancels: usize,
    pub(crate) rooms: usize,
}

impl Listener for Bell {
    fn cancelled(&self) {
        self.heard.lock().unwrap().cancels += 1;
        self.rung.notify_all();
    }

    fn room(&self) {
        self.heard.lock().unwrap().rooms += 1;
        self.rung.notify_all();
    }
}

impl Bell {
    pub(crate) fn heard(&self) -> Heard {
        *self.heard.lock().unwrap()
    }

    /// Waits until something was heard that is not in `known`, and adds it there.
    pub(crate) fn wait_for_news(&self, known: &mut Heard) {
        let nothing_new = |heard: &mut Heard| heard == known;
        let heard = *self.rung.wait_while(self.heard.lock().unwrap(), nothing_new).unwrap();
        *known = heard;
    }
}

pub(crate) type TestSender = Sender<u32, End, Bell>;
pub(crate) type TestReceiver = Receiver<u32, End, Bell>;
pub(crate) type TestFinisher = Finisher<u32, End, Bell>;

pub(crate) fn request(capacity: usize) -> (TestSender, TestReceiver, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    let (sender, receiver) = mailbox(capacity, || End::Abandoned, Arc::clone(&bell));
    (sender, receiver, bell)
}

/// Reads with `next` to the end: the events and how it ended. Also holds that nothing comes after that.
pub(crate) fn read_all(mut next: impl FnMut() -> Option<Item<u32, End>>) -> (Vec<u32>, End) {
    let mut events = Vec::new();
    loop {
        match next().expect("nothing ends without its end") {
            Item::Event(event) => events.push(event),
            Item::Finished(end) => {
                assert_eq!(next(), None, "after the end");
                assert_eq!(next(), None, "long after the end");
                return (events, end);
            }
        }
    }
}
