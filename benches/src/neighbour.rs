//! A process that keeps a core busy, as somebody else's program would: [`Neighbour`].

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::{env, hint, process, thread};

use crate::Failure;

/// The argument with which a benchmark that has neighbours calls [`spin`].
pub const SPIN: &str = "spin";

/// Dropping it ends it.
#[derive(Debug)]
pub struct Neighbour(Child);

impl Neighbour {
    /// Starts this program again, to [`spin`].
    ///
    /// # Errors
    /// What the system says against it.
    pub fn start() -> Result<Self, Failure> {
        // Its input closes when this process ends in whatever way.
        let child = Command::new(env::current_exe()?).arg(SPIN).stdin(Stdio::piped()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What that process does: it computes until its input closes.
pub fn spin() -> ! {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        process::exit(0);
    });
    let mut number = 1_u64;
    loop {
        number = hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}
