//! One pass, and the loop around it. It calls the ports and the rules, and has no rules of its own.
