//! The real binary: scan, lookup, demo, help, and what bad input gets.

mod cli {
    mod demo;
    mod help;
    mod lookup;
    mod program;
    mod scan;
    mod usage;
}
