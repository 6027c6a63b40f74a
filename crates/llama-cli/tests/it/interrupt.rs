//! Ctrl+C: a SIGINT to the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use llama_testkit::fixtures;

use crate::program::{command, start};

/// What a terminal does when Ctrl+C is pressed.
fn press_ctrl_c(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Its answer is much longer than a pipe holds, so the program waits for us before it ends.
fn long_answer(first: &str) -> Vec<String> {
    let model = fixtures::tiny_llama().to_str().unwrap();
    let args = [first, "-m", model, "-c", "262144", "--temp", "0"];
    args.map(str::to_owned).to_vec()
}

#[test]
fn ctrl_c_ends_a_run_with_130_and_keeps_the_text_so_far() {
    let args = long_answer("run");
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(["--raw", "-p", "Once"]);
    let mut child = start(&mut command(&args));
    let mut stdout = child.stdout.take().unwrap();
    let mut text = vec![0; 64];
    stdout.read_exact(&mut text).unwrap();
    press_ctrl_c(&child);
    stdout.read_to_end(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    args.extend(["-n", "64"]);
    let whole = command(&args).output().unwrap().stdout;
    let both = text.len().min(whole.len());
    assert_eq!(text[..both], whole[..both]);
}

#[test]
fn ctrl_c_in_a_chat_ends_the_answer_only() {
    let args = long_answer("chat");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut child = start(command(&args).stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(b"Tell me more.\n").unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    press_ctrl_c(&child);
    // Reading lets the program go on; the line on stderr says that the answer has ended.
    let rest = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().contains("interrupted")));
    stdin.write_all(b"/exit\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    rest.join().unwrap();
}

#[test]
fn a_second_ctrl_c_ends_the_program_though_nobody_reads_its_output() {
    let args = long_answer("run");
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(["--raw", "-p", "Once"]);
    let mut child = start(&mut command(&args));
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    // Two that come close together may count as one.
    let status = loop {
        press_ctrl_c(&child);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(status.code(), Some(130));
}

#[test]
fn ctrl_c_between_two_answers_leaves_the_chat() {
    let mut child = start(command(&["chat", "--temp", "0"]).stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(b"What is the capital of France?\n").unwrap();
    let mut answer = String::new();
    stdout.read_line(&mut answer).unwrap();
    assert_eq!(answer, "The capital of France is Paris.\n");
    press_ctrl_c(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_that_comes_when_the_answer_has_ended_leaves_the_chat_too() {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    let (notes, writer) = std::io::pipe().unwrap();
    let mut full = writer.try_clone().unwrap();
    let mut child = start(command(&["chat", "--temp", "0", "--show-timings"]).stdin(Stdio::piped()).stderr(writer));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut notes = BufReader::new(notes);
    let mut answer = String::new();
    stdin.write_all(b"What is the capital of France?\n").unwrap();
    stdout.read_line(&mut answer).unwrap();
    let mut note = String::new();
    while !note.contains("t/s") {
        note.clear();
        assert_ne!(notes.read_line(&mut note).unwrap(), 0);
    }
    // Now it waits for a line, and has told everything. After the next answer it waits to tell how fast that was.
    let room = rustix::pipe::fcntl_getpipe_size(&full).unwrap();
    full.write_all(&vec![b'\n'; room]).unwrap();
    drop(full);
    stdin.write_all(b"What is the capital of France?\n").unwrap();
    stdout.read_line(&mut answer).unwrap();
    press_ctrl_c(&child);
    std::thread::spawn(move || std::io::copy(&mut notes, &mut std::io::sink()));
    // Its stdin is open all the time.
    let (ended, wait) = sync_channel(1);
    std::thread::spawn(move || ended.send(std::io::copy(&mut stdout, &mut std::io::sink())));
    if wait.recv_timeout(Duration::from_secs(120)).is_err() {
        child.kill().unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(stdin);
}
