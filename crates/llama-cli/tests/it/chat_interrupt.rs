//! Ctrl+C while a chat reads a long prompt, before it has anything to say.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::thread::JoinHandle;

use expectrl::process::unix::Signal;

use crate::pty::{CTRL_D, Person, Terminal, fifo};

/// The log of the program, read as it is written: it tells when the model has begun with the prompt.
struct Log {
    reader: JoinHandle<BufReader<File>>,
}

impl Log {
    fn read(path: PathBuf) -> Self {
        let reader = std::thread::spawn(move || {
            let mut log = BufReader::new(File::open(path).unwrap());
            let mut line = String::new();
            while !line.contains("queued") {
                line.clear();
                assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log has ended");
            }
            log
        });
        Self { reader }
    }

    /// Waits for the prompt to be with the model. The log is read on, so that nobody waits for it.
    fn wait(self) {
        let mut log = self.reader.join().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    }
}

/// A chat that has just begun to read a prompt which takes it a minute.
fn reading(person: &Person) -> Terminal {
    let (prompt, log) = (person.file("prompt"), person.file("log"));
    std::fs::write(&prompt, "hello world ".repeat(20_000)).unwrap();
    fifo(log.as_ref());
    let reading = Log::read(log.clone().into());
    let terminal = person.recorded_chat(&["-f", &prompt, "-c", "61000", "-v", "--log-file", &log]);
    reading.wait();
    terminal
}

#[test]
fn ctrl_c_stops_a_long_prompt_and_the_conversation_goes_on() {
    let person = Person::new();
    let mut terminal = reading(&person);
    terminal.signal(Signal::SIGINT);
    terminal.expect("[ interrupted ]");
    terminal.expect_prompt();
    terminal.say("/stats");
    terminal.expect("1 turn(s)");
    terminal.expect("; 0 generated");
    terminal.expect_prompt();
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().0, 0);
    assert!(person.read("said").ends_with("Assistant:\n\n\n[ interrupted ]\n\n"));
}

#[test]
fn a_second_ctrl_c_leaves_the_chat_with_130() {
    // On a busy machine the first may be obeyed before the second is looked at, which then comes between two answers.
    let left = (0..10).any(|_| {
        let person = Person::new();
        let mut terminal = reading(&person);
        // Both are there when it goes on.
        for signal in [Signal::SIGSTOP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGCONT] {
            terminal.signal(signal);
        }
        let (code, printed) = terminal.end();
        assert!(code == 130 || code == 0 && printed.contains("[ interrupted ]"), "{code}: {printed:?}");
        code == 130
    });
    assert!(left, "the second never came while the first was being obeyed");
}
