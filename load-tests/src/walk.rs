//! Which member is next, and random bits for ids: cheap, and the same for the same seed.
//!
//! Members are visited in turn, each turn in an order that jumps about (steps near the golden section, prime to the
//! number of members), so that no member comes twice within a few requests, and memory is touched as if at random.

use std::ops::Range;

/// A small generator of random bits (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// One turn after another through a range of members.
#[derive(Debug, Clone)]
struct Turns {
    members: Range<u32>,
    at: u32,
    step: u32,
}

impl Turns {
    fn new(members: Range<u32>, random: &mut Random) -> Turns {
        let count = members.end - members.start;
        let start = if count == 0 { 0 } else { (random.next() % u64::from(count)) as u32 };
        let mut step = (f64::from(count) * 0.618_033_988_749) as u32;
        while gcd(step, count) > 1 {
            step += 1;
        }
        Turns { members, at: start, step }
    }

    fn next(&mut self) -> u32 {
        let member = self.members.start + self.at;
        let count = u64::from(self.members.end - self.members.start);
        self.at = ((u64::from(self.at) + u64::from(self.step)) % count) as u32;
        member
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How requests fall on members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Spread {
    /// Every member as often as every other.
    Uniform,
    /// A fifth of the members makes four fifths of the requests.
    Skewed,
}

/// The members one connection asks for.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    hot: Turns,
    /// The other members, where the spread is skewed.
    cold: Option<Turns>,
    random: Random,
}

impl Walk {
    /// A walk over `members`, which must not be empty.
    pub(crate) fn new(members: Range<u32>, spread: Spread, seed: u64) -> Walk {
        let mut random = Random::new(seed);
        let fifth = (members.end - members.start) / 5;
        if spread == Spread::Uniform || fifth == 0 {
            return Walk { hot: Turns::new(members, &mut random), cold: None, random };
        }
        let border = members.start + fifth;
        let hot = Turns::new(members.start..border, &mut random);
        let cold = Turns::new(border..members.end, &mut random);
        Walk { hot, cold: Some(cold), random }
    }

    /// The next member.
    #[inline]
    pub(crate) fn next(&mut self) -> u32 {
        match &mut self.cold {
            Some(cold) if self.random.next().is_multiple_of(5) => cold.next(),
            _ => self.hot.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_turn_visits_every_member_once() {
        for count in [1, 2, 3, 7, 64, 1_000, 4_096] {
            let mut walk = Walk::new(10..10 + count, Spread::Uniform, 7);
            for _ in 0..3 {
                let mut turn: Vec<u32> = (0..count).map(|_| walk.next()).collect();
                turn.sort_unstable();
                assert_eq!(turn, (10..10 + count).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_fifth_of_the_members_makes_four_fifths() {
        let mut walk = Walk::new(0..1_000, Spread::Skewed, 7);
        let hot = (0..100_000).filter(|_| walk.next() < 200).count();
        assert!((79_000..81_000).contains(&hot), "{hot}");
    }

    #[test]
    fn the_same_seed_walks_the_same_way() {
        let way = |seed| {
            let mut walk = Walk::new(0..1_000, Spread::Skewed, seed);
            (0..100).map(|_| walk.next()).collect::<Vec<_>>()
        };
        assert_eq!(way(1), way(1));
        assert_ne!(way(1), way(2));
    }

    #[test]
    fn no_member_comes_twice_within_a_batch() {
        let mut walk = Walk::new(0..100, Spread::Uniform, 3);
        let way: Vec<u32> = (0..1_000).map(|_| walk.next()).collect();
        assert!(way.windows(64).all(|batch| batch.iter().collect::<std::collections::HashSet<_>>().len() == 64));
    }
}
