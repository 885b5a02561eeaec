//! The product's only executable. Everything is in the library beside it, so that tests can call it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
