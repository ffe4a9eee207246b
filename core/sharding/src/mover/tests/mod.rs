//! Moves over databases reduced to one user, in every order of events.

mod explore;
mod site;
mod store;
mod walk;
