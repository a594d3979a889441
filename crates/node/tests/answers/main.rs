//! Questions over a node whose documents change: what was answered live is answered again as of then, and what was kept
//! from an earlier question is what would be found anew.

mod as_of;
mod kept;
mod world;
