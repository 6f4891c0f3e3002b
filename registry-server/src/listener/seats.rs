//! How many connections are open, in all and from each address.
//!
//! Where there is no seat left, the connection that has waited longest without a request
//! gives up its own: a crowd of silent clients, which the head's time-out ends only after
//! seconds, does not keep a talking one out. A connection that serves a request, to the
//! last byte of its answer, keeps its seat.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Counts connections and turns away those above the limits.
#[derive(Debug)]
pub(super) struct Seats {
    taken: Mutex<Taken>,
    total_max: usize,
    per_address_max: usize,
}

#[derive(Debug, Default)]
struct Taken {
    /// Rises with everything that happens: names seats and tells which waited longest.
    moment: u64,
    seats: HashMap<u64, Sitter>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Sitter {
    address: IpAddr,
    requests: usize,
    idle_since: u64,
    leave: Arc<Notify>,
}

/// The right to hold one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    leave: Arc<Notify>,
}

/// A request that is running on a seat, until dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Seats {
    /// Room for `total_max` connections, `per_address_max` of them from one address.
    pub(super) fn new(total_max: usize, per_address_max: usize) -> Self {
        Self {
            taken: Mutex::default(),
            total_max,
            per_address_max,
        }
    }

    /// A seat for a connection from `address`; `None` where every seat that it could have
    /// is busy. A proxy (`is_shared`) has as many as there are: its clients are many.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr, is_shared: bool) -> Option<Arc<Seat>> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        if own >= self.per_address_max && !is_shared {
            taken.free_one(Some(address))?;
        } else if taken.seats.len() >= self.total_max {
            taken.free_one(None)?;
        }
        taken.moment += 1;
        let number = taken.moment;
        let leave = Arc::new(Notify::new());
        taken.seats.insert(
            number,
            Sitter {
                address,
                requests: 0,
                idle_since: number,
                leave: Arc::clone(&leave),
            },
        );
        *taken.by_address.entry(address).or_insert(0) += 1;
        drop(taken);
        Some(Arc::new(Seat {
            seats: Arc::clone(self),
            number,
            leave,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Asks the connection (of `address`, where one is given) that has been idle longest to
    /// leave, and counts it out at once.
    fn free_one(&mut self, address: Option<IpAddr>) -> Option<()> {
        let (number, _) = self
            .seats
            .iter()
            .filter(|(_, it)| it.requests == 0 && address.is_none_or(|own| own == it.address))
            .min_by_key(|(_, it)| it.idle_since)?;
        let number = *number;
        self.remove(number)?.leave.notify_one();
        Some(())
    }

    fn remove(&mut self, number: u64) -> Option<Sitter> {
        let sitter = self.seats.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&sitter.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&sitter.address);
            }
        }
        Some(sitter)
    }
}

impl Seat {
    /// Completes when the seat is needed by another connection.
    pub(super) async fn needed_elsewhere(&self) {
        self.leave.notified().await;
    }

    /// Marks a request as running.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        if let Some(sitter) = self.seats.lock().seats.get_mut(&self.number) {
            sitter.requests += 1;
        }
        Busy(Arc::clone(self))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Nothing is there where the seat was given up.
        let _ = self.seats.lock().remove(self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut taken = self.0.seats.lock();
        taken.moment += 1;
        let moment = taken.moment;
        if let Some(sitter) = taken.seats.get_mut(&self.0.number) {
            sitter.requests -= 1;
            sitter.idle_since = moment;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::net::Ipv4Addr;

    const GREEDY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    fn must_leave(seat: &Seat) -> bool {
        seat.needed_elsewhere().now_or_never().is_some()
    }

    #[test]
    fn the_longest_idle_connection_of_an_address_makes_room_for_its_next() {
        let seats = Arc::new(Seats::new(9, 2));
        let other = seats.take(OTHER, false).unwrap();
        let first = seats.take(GREEDY, false).unwrap();
        let second = seats.take(GREEDY, false).unwrap();
        drop(first.busy());
        let _third = seats.take(GREEDY, false).unwrap();
        assert!(must_leave(&second), "the first was talking more lately");
        assert!(!must_leave(&first) && !must_leave(&other));
    }

    #[test]
    fn busy_connections_keep_their_seats_and_newcomers_are_turned_away() {
        let seats = Arc::new(Seats::new(3, 2));
        let first = seats.take(GREEDY, false).unwrap();
        let second = seats.take(GREEDY, false).unwrap();
        let busy = [first.busy(), second.busy()];
        assert!(seats.take(GREEDY, false).is_none(), "one address");
        let third = seats.take(OTHER, false).unwrap();
        let third_busy = third.busy();
        assert!(seats.take(OTHER, false).is_none(), "all addresses");
        drop((busy, third_busy));
        assert!(seats.take(GREEDY, false).is_some());
    }

    #[test]
    fn seats_come_back_once_and_only_once() {
        let seats = Arc::new(Seats::new(2, 2));
        for _ in 0..9 {
            // Each takes a seat that an earlier one was asked to leave, then all leave.
            let crowd: Vec<_> = (0..5).map(|_| seats.take(GREEDY, false).unwrap()).collect();
            drop(crowd);
        }
        let taken = seats.lock();
        assert!(taken.seats.is_empty() && taken.by_address.is_empty());
    }

    #[test]
    fn an_ipv6_spelling_of_an_address_is_the_same_address() {
        let seats = Arc::new(Seats::new(9, 1));
        let first = seats.take(GREEDY, false).unwrap();
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let _second = seats.take(mapped, false).unwrap();
        assert!(must_leave(&first));
    }

    #[test]
    fn a_proxy_has_every_seat_that_there_is() {
        let seats = Arc::new(Seats::new(3, 1));
        let crowd: Vec<_> = (0..3).map(|_| seats.take(GREEDY, true).unwrap()).collect();
        let busy: Vec<_> = crowd.iter().map(Seat::busy).collect();
        assert!(seats.take(GREEDY, true).is_none());
        drop(busy);
    }
}
