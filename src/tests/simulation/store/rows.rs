//! A map for a handful of rows: nothing is hashed or moved about, which is what costs time where nothing
//! is optimised. What came last is found first.

use std::ops::Index;

#[derive(Clone, Debug)]
pub struct Rows<K, V>(Vec<(K, V)>);

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V> Rows<K, V> {
    fn place(&self, key: &K) -> Option<usize> {
        let mut place = self.0.len();
        while place > 0 {
            place -= 1;
            if self.0[place].0 == *key {
                return Some(place);
            }
        }
        None
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        Some(&self.0[self.place(key)?].1)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key)?;
        Some(&mut self.0[place].1)
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_some()
    }

    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Some(place) => self.0[place].1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Inserts, or removes.
    pub fn put(&mut self, key: K, value: Option<V>) {
        match value {
            Some(value) => self.insert(key, value),
            None => drop(self.remove(&key)),
        }
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key)?;
        Some(self.0.remove(place).1)
    }

    pub fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order in which they came.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }
}

impl<K: PartialEq, V> Index<&K> for Rows<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("a row")
    }
}

impl<K, V> IntoIterator for Rows<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
