//! A process that keeps a core busy, as somebody else's program would.

use std::io::Read;
use std::process::Stdio;
use std::{env, hint, process, thread};

use super::child::{self, Background};
use crate::Failure;

/// Starts one; dropping it ends it.
pub(crate) fn start() -> Result<Background, Failure> {
    let own = env::current_exe()?;
    let mut command = child::command(&own, &env::current_dir()?);
    // Its input closes when this process ends in whatever way.
    command.arg("spin").stdin(Stdio::piped());
    Ok(Background::start(command)?)
}

/// What that process does: it spins until its input closes.
pub(crate) fn spin() -> ! {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        process::exit(0);
    });
    let mut number = 1_u64;
    loop {
        number = hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}
