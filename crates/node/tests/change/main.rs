//! A change of model: all vectors are made anew beside the old ones, one instant is the border, and what was answered
//! before it is answered again as it was.

mod border;
mod crash;
mod random;
mod standing;
mod words;
mod world;
