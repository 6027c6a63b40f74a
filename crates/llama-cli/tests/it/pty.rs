//! A person at a terminal: the program runs in a real one, and every wait has an end.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use expectrl::process::Process;
use expectrl::process::unix::{Signal, UnixProcess, WaitStatus};
use tempfile::TempDir;

use crate::program::at_home;

/// Far more than anything takes here, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const ENTER: &str = "\r";
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const TAB: &str = "\t";

/// What the program asks a terminal to learn where the cursor is.
const WHERE: &[u8] = b"\x1b[6n";

/// What was printed so far, and whether there can be more.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    over: bool,
}

/// A terminal with the program in it.
pub(crate) struct Terminal {
    process: UnixProcess,
    keys: File,
    output: Arc<(Mutex<Output>, Condvar)>,
    reader: Option<JoinHandle<()>>,
    /// Up to here it was waited for.
    seen: usize,
}

/// A person of their own: with a home where a history can be.
pub(crate) struct Person {
    pub(crate) home: TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::new().unwrap(), variables: vec![("TERM", "xterm-256color")] }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// A file at home, by its path.
    pub(crate) fn file(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap()
    }

    /// Starts `llama-cli chat` on one thread, answering with what is likeliest.
    pub(crate) fn chat(&self, args: &[&str]) -> Terminal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llama-cli"));
        command.args(["chat", "-t", "1", "--temp", "0"]).args(args);
        at_home(&mut command);
        command.env("HOME", self.home.path()).current_dir(self.home.path());
        command.envs(self.variables.iter().copied());
        Terminal::start(command)
    }

    /// As [`chat`](Self::chat), and who said what goes to the file `said`.
    pub(crate) fn recorded_chat(&self, args: &[&str]) -> Terminal {
        let said = self.file("said");
        self.chat(&[&["-o", said.as_str()], args].concat())
    }

    /// What the person said in a recorded chat, message by message.
    pub(crate) fn messages(&self) -> Vec<String> {
        let said = self.read("said");
        let parts = said.split("User:\n").skip(1);
        parts.map(|part| part.split("\n\nAssistant:\n").next().unwrap().to_owned()).collect()
    }
}

impl Terminal {
    fn start(command: Command) -> Self {
        let process = UnixProcess::spawn_command(command).unwrap();
        let output = Arc::new((Mutex::new(Output::default()), Condvar::new()));
        let (from, to) = (process.get_raw_handle().unwrap(), process.get_raw_handle().unwrap());
        let told = Arc::clone(&output);
        let reader = std::thread::spawn(move || read(from, to, &told));
        let keys = process.get_raw_handle().unwrap();
        Self { process, keys, output, reader: Some(reader), seen: 0 }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// A text from the clipboard, as a terminal hands it over.
    pub(crate) fn paste(&mut self, text: &str) {
        self.press(&format!("\x1b[200~{}\x1b[201~", text.replace('\n', "\r")));
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.press(text);
        self.press(ENTER);
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.process.set_window_size(columns, rows).unwrap();
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.signal(signal).unwrap();
    }

    /// Waits until this is printed, after what was waited for before. Returns what came before it.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let (output, changed) = &*self.output;
        let seen = self.seen;
        let found = |output: &Output| find(&output.bytes[seen..], text.as_bytes());
        let guard = output.lock().unwrap();
        let wait = |output: &mut Output| found(output).is_none() && !output.over;
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, wait).unwrap();
        let printed = String::from_utf8_lossy(&guard.bytes[seen..]).into_owned();
        let Some(at) = found(&guard) else { panic!("{text:?} was not printed, but {printed:?}") };
        self.seen = seen + at + text.len();
        String::from_utf8_lossy(&guard.bytes[seen..seen + at]).into_owned()
    }

    /// Waits for the prompt.
    pub(crate) fn expect_prompt(&mut self) -> String {
        // The editor shows the cursor again when it has painted the line.
        let before = self.expect("> ");
        before + &self.expect("\x1b[?25h")
    }

    /// Waits for the end of the program. Returns its code, and all that it printed.
    pub(crate) fn end(mut self) -> (i32, String) {
        let (output, changed) = &*self.output;
        let guard = output.lock().unwrap();
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, |output| !output.over).unwrap();
        let printed = String::from_utf8_lossy(&guard.bytes).into_owned();
        assert!(guard.over, "it goes on: {printed:?}");
        drop(guard);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        match self.process.wait().unwrap() {
            WaitStatus::Exited(_, code) => (code, printed),
            other => panic!("{other:?}: {printed:?}"),
        }
    }
}

fn read(mut from: File, mut to: File, told: &(Mutex<Output>, Condvar)) {
    let mut asked = 0;
    let mut piece = [0; 4096];
    loop {
        // An error is how a terminal tells that nobody is there any more.
        let length = from.read(&mut piece).unwrap_or(0);
        let mut output = told.0.lock().unwrap();
        output.bytes.extend_from_slice(&piece[..length]);
        output.over = length == 0;
        while let Some(at) = find(&output.bytes[asked..], WHERE) {
            asked += at + WHERE.len();
            // It may have ended without waiting for the answer.
            let _ = to.write_all(b"\x1b[1;1R");
        }
        told.1.notify_all();
        if output.over {
            return;
        }
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// A pipe in the file system, which has nothing to read until somebody writes.
pub(crate) fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
