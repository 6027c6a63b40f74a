//! A program with all that it starts itself: a wrapper may leave the work to a process of its own, which then holds the pipes.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Failure;

/// The groups that are there: the terminal's signals reach only that of this process.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program and its own processes; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Group(Child);

impl Group {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut running = running();
        let child = command.spawn()?;
        running.insert(child.id());
        Ok(Self(child))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Waits for the program; what it left behind does not matter any more.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.0.wait();
        running().remove(&self.0.id());
        status
    }

    /// Ends all of it. Once it was ended or waited for, its number may be another group's.
    pub(crate) fn end(&mut self) {
        let is_there = running().remove(&self.0.id());
        if is_there {
            kill(self.0.id());
        }
        // Both fail only for a child that has ended and been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
fn kill(group: u32) {
    let number = i32::try_from(group).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(number) = number {
        // Fails where all of it has ended.
        let _ = rustix::process::kill_process_group(number, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(_group: u32) {}

/// Ends all groups when somebody interrupts this process or ends it.
pub(crate) fn end_all_on_interrupt() -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use std::io::Read as _;
        use std::os::unix::net::UnixStream;

        let (mut signals, to) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGINT, to.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGTERM, to)?;
        std::thread::spawn(move || {
            if signals.read(&mut [0]).is_ok() {
                running().iter().copied().for_each(kill);
                // What a shell says of a program that SIGINT ended.
                std::process::exit(130);
            }
        });
    }
    Ok(())
}
