//! The registry against a naive model: a list of rows, addresses as sets of concrete addresses.

mod naive;
mod pair;
mod step;

use proptest::prelude::*;

use super::*;
use naive::Model;
use pair::Pair;
use step::{ADDRESSES, Place, Step, Wish, step};

const FLOOR: u16 = 3;
const DYNAMIC: (u16, u16) = (5, 10);
const PORTS: u16 = 12;
const CLAIM_LIMIT: u32 = 14;
const FOREIGN_LIMIT: u32 = 5;
const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Udp];

proptest! {
    #[test]
    fn agrees_with_the_naive_model(
        privileged in any::<bool>(),
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut pair = Pair::new(privileged, seed);
        for step in steps {
            pair.take(step)?;
            pair.compare_lists()?;
        }
        pair.compare_everything()?;
        pair.claims.clear();
        pair.model.claims.clear();
        pair.compare_everything()?;
    }
}
