//! How many tasks of a module are at a place (a device or a node): a full row for modules with many tasks, a short list for
//! those with few, so that memory grows with the problem and not with modules times places.

/// Counts of modules at places.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    rows: Vec<Row>,
    places: usize,
    full: Vec<u32>,
    listed: Vec<(u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    start: usize,
    is_full: bool,
    /// Places with a count.
    held: u32,
}

impl Counts {
    /// Nothing anywhere. `uses` tells how many tasks each module has.
    pub(crate) fn new(places: usize, uses: impl Iterator<Item = usize>) -> Self {
        let (mut full, mut listed) = (0, 0);
        let rows = uses
            .map(|uses| {
                let is_full = uses * 4 >= places;
                let end = if is_full { &mut full } else { &mut listed };
                let start = *end;
                *end += if is_full { places } else { uses };
                Row { start, is_full, held: 0 }
            })
            .collect();
        Self { rows, places, full: vec![0; full], listed: vec![(0, 0); listed] }
    }

    /// Tasks of a module at a place.
    #[inline]
    pub(crate) fn get(&self, module: usize, place: usize) -> u32 {
        let row = self.rows[module];
        if row.is_full {
            return self.full[row.start + place];
        }
        let held = &self.listed[row.start..row.start + row.held as usize];
        held.iter().find(|(at, _)| *at as usize == place).map_or(0, |(_, count)| *count)
    }

    /// Places that hold a module.
    #[inline]
    pub(crate) fn held(&self, module: usize) -> usize {
        self.rows[module].held as usize
    }

    /// One task more; whether it is the first there.
    #[inline]
    pub(crate) fn add(&mut self, module: usize, place: usize) -> bool {
        let row = &mut self.rows[module];
        if row.is_full {
            let count = &mut self.full[row.start + place];
            *count += 1;
            let is_first = *count == 1;
            row.held += u32::from(is_first);
            return is_first;
        }
        let end = row.start + row.held as usize;
        let held = &mut self.listed[row.start..end];
        if let Some((_, count)) = held.iter_mut().find(|(at, _)| *at as usize == place) {
            *count += 1;
            return false;
        }
        self.listed[end] = (crate::instance::narrow(place), 1);
        row.held += 1;
        true
    }

    /// One task less; whether it was the last there.
    #[inline]
    pub(crate) fn remove(&mut self, module: usize, place: usize) -> bool {
        let row = &mut self.rows[module];
        if row.is_full {
            let count = &mut self.full[row.start + place];
            *count -= 1;
            let is_last = *count == 0;
            row.held -= u32::from(is_last);
            return is_last;
        }
        let end = row.start + row.held as usize;
        let held = &mut self.listed[row.start..end];
        let at = held
            .iter()
            .position(|(at, _)| *at as usize == place)
            .expect("a task that leaves a place was there");
        held[at].1 -= 1;
        if held[at].1 > 0 {
            return false;
        }
        held.swap(at, end - row.start - 1);
        row.held -= 1;
        true
    }

    /// The places that hold a module, with their counts; in no order that means anything.
    pub(crate) fn places(&self, module: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let row = self.rows[module];
        let (full, listed): (&[u32], &[(u32, u32)]) = if row.is_full {
            (&self.full[row.start..row.start + self.places], &[])
        } else {
            (&[], &self.listed[row.start..row.start + row.held as usize])
        };
        let full = full.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        full.chain(listed.iter().map(|&(place, count)| (place as usize, count)))
    }
}
