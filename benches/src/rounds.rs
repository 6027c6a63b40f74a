//! Pieces of work measured in turns, round after round, each with a part that is not counted.

use crate::{Failure, Ratio, Spent};

/// A piece of work to be measured: it makes itself ready, works, and says what the work alone took.
pub type Piece<'a> = Box<dyn FnMut() -> Result<Spent, Failure> + 'a>;

/// What one piece took in each round, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples(Vec<f64>);

/// Runs all pieces once per round, every other round backwards, so that what drifts evenly hits all alike. The first run
/// of each is not counted. `single_thread`: the calling thread does all the work, so that its own time is what counts,
/// where the system tells; other programs do not lengthen it.
///
/// # Errors
///
/// Those of the pieces.
pub fn rounds(n: usize, single_thread: bool, pieces: &mut [Piece<'_>]) -> Result<Vec<Samples>, Failure> {
    let (wall, cpu) = rounds_by_both(n, pieces)?;
    let choose = |(wall, cpu): (Samples, Option<Samples>)| cpu.filter(|_| single_thread).unwrap_or(wall);
    Ok(wall.into_iter().zip(cpu).map(choose).collect())
}

/// As [`rounds`], but by both clocks: time that passed, and CPU time where the system tells.
///
/// # Errors
///
/// Those of the pieces.
pub fn rounds_by_both(n: usize, pieces: &mut [Piece<'_>]) -> Result<(Vec<Samples>, Vec<Option<Samples>>), Failure> {
    let mut wall = vec![Samples(Vec::with_capacity(n)); pieces.len()];
    let mut cpu = vec![Some(Samples(Vec::with_capacity(n))); pieces.len()];
    for piece in pieces.iter_mut() {
        piece()?;
    }
    for round in 0..n {
        for turn in 0..pieces.len() {
            let i = if round % 2 == 0 { turn } else { pieces.len() - 1 - turn };
            let spent = pieces[i]()?;
            wall[i].0.push(spent.wall);
            cpu[i] = cpu[i].take().zip(spent.cpu).map(|(mut times, spent)| {
                times.0.push(spent);
                times
            });
        }
    }
    Ok((wall, cpu))
}

impl Samples {
    /// The middle one, in seconds; not a number if there is none.
    pub fn median(&self) -> f64 {
        Ratio::of(std::slice::from_ref(&self.0)).map_or(f64::NAN, |all| all.median)
    }

    /// The time of these in units of the time of `other`, round by round: the median and the quartiles. Below 1 is faster.
    pub fn over(&self, other: &Self) -> [f64; 3] {
        let ratios = self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect();
        Ratio::of(&[ratios]).map_or([f64::NAN; 3], |all| [all.median, all.spread[1], all.spread[2]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn every_other_round_goes_backwards() {
        let order = RefCell::new(Vec::new());
        let piece = |i| -> Piece<'_> {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(i);
                Ok(Spent { wall: f64::from(i), cpu: Some(2.0) })
            })
        };
        let mut pieces = [piece(1), piece(2)];
        let samples = rounds(2, false, &mut pieces).expect("nothing fails");
        assert_eq!(*order.borrow(), [1, 2, 1, 2, 2, 1]);
        assert_eq!(samples[1].over(&samples[0]), [2.0; 3]);
        let by_own_time = rounds(1, true, &mut pieces).expect("nothing fails");
        assert_eq!(by_own_time[0].median(), 2.0);
    }

    #[test]
    fn no_round_gives_no_number() {
        let mut pieces: [Piece<'_>; 1] = [Box::new(|| Ok(Spent::default()))];
        let samples = rounds(0, false, &mut pieces).expect("nothing fails");
        assert!(samples[0].median().is_nan());
    }
}
