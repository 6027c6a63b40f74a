//! The program of the comparison; what it does is in `compare.rs`.

fn main() -> std::process::ExitCode {
    llama_rs_benches::compare::main()
}
