//! What is behind an outlet: told once when it changes, and kept where people look.

use node::outlet::Outlet;

/// Whether the part behind an outlet does its work.
#[derive(Debug, Default)]
pub struct Health {
    trouble: Option<String>,
}

impl Health {
    /// It fails: one line on standard error when that is new, and the outlet's `trouble`.
    #[allow(
        clippy::print_stderr,
        reason = "the log of a server is its standard error"
    )]
    pub fn fails(&mut self, outlet: &Outlet, why: String) {
        if self.trouble.as_ref() == Some(&why) {
            return;
        }
        eprintln!(
            "ouzel: output {} is in trouble: {why}; the market goes on",
            outlet.name()
        );
        outlet.trouble(why.clone());
        self.trouble = Some(why);
    }

    /// It works.
    #[allow(
        clippy::print_stderr,
        reason = "the log of a server is its standard error"
    )]
    pub fn works(&mut self, outlet: &Outlet) {
        if self.trouble.take().is_some() {
            eprintln!("ouzel: output {} works again", outlet.name());
            outlet.recovered();
        }
    }
}
