//! `jamzctl`: the head unit's command line.

fn main() -> std::process::ExitCode {
    jamz::ctl::main()
}
