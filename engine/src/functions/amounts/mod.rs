//! Amounts of money and numbers as agencies write them.
