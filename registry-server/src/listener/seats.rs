//! How many connections are open, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections and turns away those above the limits.
#[derive(Debug)]
pub(super) struct Seats {
    taken: Mutex<Taken>,
    total_max: usize,
    per_address_max: usize,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to hold one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    /// Room for `total_max` connections, `per_address_max` of them from one address.
    pub(super) fn new(total_max: usize, per_address_max: usize) -> Self {
        Self {
            taken: Mutex::default(),
            total_max,
            per_address_max,
        }
    }

    /// A seat for a connection from `address`, if there is room.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = address.to_canonical();
        let mut guard = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = &mut *guard;
        let own = taken.by_address.entry(address).or_insert(0);
        if taken.total >= self.total_max || *own >= self.per_address_max {
            if *own == 0 {
                taken.by_address.remove(&address);
            }
            return None;
        }
        *own += 1;
        taken.total += 1;
        Some(Seat {
            seats: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self
            .seats
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn one_address_cannot_take_every_seat() {
        let seats = Arc::new(Seats::new(3, 2));
        let greedy = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let first = seats.take(greedy).unwrap();
        let _second = seats.take(greedy).unwrap();
        assert!(seats.take(greedy).is_none());
        let _third = seats.take(other).unwrap();
        assert!(seats.take(other).is_none());
        drop(first);
        assert!(seats.take(other).is_some());
    }

    #[test]
    fn an_ipv6_spelling_of_an_address_is_the_same_address() {
        let seats = Arc::new(Seats::new(9, 1));
        let plain = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let _first = seats.take(plain).unwrap();
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert!(seats.take(mapped).is_none());
    }
}
