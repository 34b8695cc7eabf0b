//! A cursor over bytes that another program wrote. Each read names its field, so that an error says
//! what was missing and where.

/// Fewer bytes were left than a field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} at offset {offset} needs {needed} bytes, {left} are left")]
pub struct ShortRead {
    /// The field that was being read.
    pub field: &'static str,
    /// Where it begins, in bytes from the start of the input.
    pub offset: usize,
    /// How many bytes it needs.
    pub needed: usize,
    /// How many were left.
    pub left: usize,
}

/// A cursor over `input`. Reads are big-endian unless they say otherwise and never panic.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input, offset: 0 }
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, field: &'static str, n: usize) -> Result<&'a [u8], ShortRead> {
        let short = ShortRead { field, offset: self.offset, needed: n, left: self.rest.len() };
        let (head, rest) = self.rest.split_at_checked(n).ok_or(short)?;
        self.rest = rest;
        self.offset += n;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ShortRead> {
        let short = ShortRead { field, offset: self.offset, needed: N, left: self.rest.len() };
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(short)?;
        self.rest = rest;
        self.offset += N;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, ShortRead> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    /// Two bytes.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, ShortRead> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, ShortRead> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    /// Four bytes, signed.
    pub fn i32(&mut self, field: &'static str) -> Result<i32, ShortRead> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, ShortRead> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_field_that_is_cut() {
        let mut reader = Reader::new(&[0, 1, 2]);
        assert_eq!(reader.u16("version"), Ok(1));
        assert_eq!(
            reader.u32("length").map_err(|e| e.to_string()),
            Err("length at offset 2 needs 4 bytes, 1 are left".to_owned())
        );
        assert_eq!(reader.u8("kind"), Ok(2));
        assert!(reader.is_empty());
    }
}
