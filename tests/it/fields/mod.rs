//! Putting fields back, over files of all formats: a corpus of commits and of what became of their files later, and
//! files made up at random.

mod corpus;
mod made;
mod pinned;
