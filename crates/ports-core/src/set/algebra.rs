//! Union, intersection, difference, complement: as methods and as operators.

use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not, Sub, SubAssign};

use super::PortSet;

impl PortSet {
    /// The ports in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.clone() | other
    }

    /// The ports in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.clone() & other
    }

    /// The ports of this set that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.clone() - other
    }

    /// Every port that is not in the set, port 0 included.
    #[must_use]
    pub fn complement(&self) -> Self {
        !self.clone()
    }

    /// Whether no port is in both sets.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.words.iter().zip(other.words.iter()).all(|(a, b)| a & b == 0)
    }

    /// Whether every port of this set is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.words.iter().zip(other.words.iter()).all(|(a, b)| a & !b == 0)
    }
}

/// A binary operator and its assigning form, for owned and borrowed sets.
macro_rules! operator {
    ($(#[$doc:meta])* $Op:ident $op:ident $Assign:ident $assign:ident |$a:ident, $b:ident| $combine:expr) => {
        impl $Assign<&PortSet> for PortSet {
            fn $assign(&mut self, other: &PortSet) {
                for ($a, $b) in self.words.iter_mut().zip(other.words.iter()) {
                    *$a = $combine;
                }
            }
        }

        $(#[$doc])*
        impl $Op<&PortSet> for PortSet {
            type Output = PortSet;

            fn $op(mut self, other: &PortSet) -> PortSet {
                $Assign::$assign(&mut self, other);
                self
            }
        }

        $(#[$doc])*
        impl $Op for PortSet {
            type Output = PortSet;

            fn $op(self, other: PortSet) -> PortSet {
                $Op::$op(self, &other)
            }
        }

        $(#[$doc])*
        impl $Op for &PortSet {
            type Output = PortSet;

            fn $op(self, other: &PortSet) -> PortSet {
                $Op::$op(self.clone(), other)
            }
        }
    };
}

operator!(
    /// The union.
    BitOr bitor BitOrAssign bitor_assign |a, b| *a | *b
);
operator!(
    /// The intersection.
    BitAnd bitand BitAndAssign bitand_assign |a, b| *a & *b
);
operator!(
    /// The difference.
    Sub sub SubAssign sub_assign |a, b| *a & !*b
);

/// The complement, port 0 included.
impl Not for PortSet {
    type Output = Self;

    fn not(mut self) -> Self {
        for word in self.words.iter_mut() {
            *word = !*word;
        }
        self
    }
}

/// The complement, port 0 included.
impl Not for &PortSet {
    type Output = PortSet;

    fn not(self) -> PortSet {
        self.complement()
    }
}
