//! Blobs: kept once, counted, freed with their last reference.

use redb::ReadableTable as _;

use super::{Appended, Change, narrow};
use crate::record::{BlobRecord, decode, encode};
use crate::snapshot::is_whole;
use crate::{BlobHash, Prepared, StoreError};

/// What became of a thin pack.
pub(crate) struct Thinned {
    /// Bytes moved to another pack.
    pub(crate) moved: u64,
    /// Nothing is left to do with it.
    pub(crate) done: bool,
}

impl Change<'_> {
    /// Counts one more reference to a message, which is appended to the pack if it is not kept yet.
    pub(super) fn keep(&mut self, message: &Prepared) -> Result<(), StoreError> {
        let known = self.blob(message.hash)?;
        let is_new = known.is_none();
        let mut record = match known {
            Some(record) if self.is_sound(message.hash, &record) => record,
            Some(damaged) => {
                tracing::warn!(pack = damaged.pack, "a damaged message came again and is whole now");
                self.write().pack_blobs.remove((damaged.pack, damaged.offset))?;
                self.account_for(damaged.pack, 0, damaged.len)?;
                BlobRecord { references: damaged.references, ..self.place(message)? }
            }
            None => self.place(message)?,
        };
        record.references += 1;
        self.put_blob(message.hash, &record)?;
        self.sound.insert(message.hash);
        if is_new {
            let summary = encode(&message.summary)?;
            self.write().summaries.insert(&message.hash.0, summary.as_slice())?;
        }
        Ok(())
    }

    /// Whether what is kept can be read: who puts a damaged letter back must not be told that it is there already.
    fn is_sound(&self, hash: BlobHash, record: &BlobRecord) -> bool {
        self.sound.contains(&hash) || is_whole(&self.shared.packs, hash, record)
    }

    /// Appends a message to the pack; nobody refers to it yet.
    fn place(&mut self, message: &Prepared) -> Result<BlobRecord, StoreError> {
        let (pack, offset) = self.open_pack()?;
        self.appended = Appended::To(pack);
        let place = self.shared.packs.append(pack, offset, message.hash, message.size, &message.compressed)?;
        let record = BlobRecord {
            pack,
            offset: place.offset,
            len: place.end - place.offset,
            size: message.size,
            chunks: message.compressed.chunks.to_vec(),
            references: 0,
        };
        self.write().pack_blobs.insert((pack, offset), &message.hash.0)?;
        self.account_for(pack, record.len, 0)?;
        self.set_pack_end(pack, place.end)?;
        Ok(record)
    }

    /// Counts one more reference to a blob that is kept.
    pub(super) fn refer(&mut self, hash: BlobHash) -> Result<(), StoreError> {
        let mut record =
            self.blob(hash)?.ok_or_else(|| StoreError::Damaged("a message's bytes are gone".to_owned()))?;
        record.references += 1;
        self.put_blob(hash, &record)
    }

    /// Counts one reference less; with the last the blob is gone.
    pub(super) fn release(&mut self, hash: BlobHash) -> Result<(), StoreError> {
        let Some(mut record) = self.blob(hash)? else { return Ok(()) };
        if record.references > 1 {
            record.references -= 1;
            return self.put_blob(hash, &record);
        }
        let tables = self.write();
        tables.blobs.remove(&hash.0)?;
        tables.summaries.remove(&hash.0)?;
        tables.pack_blobs.remove((record.pack, record.offset))?;
        self.account_for(record.pack, 0, record.len)
    }

    /// Moves living blobs out of a sealed pack until `budget` bytes are moved, or none is left and the pack is dropped.
    pub(crate) fn thin(&mut self, pack: u32, budget: u64) -> Result<Thinned, StoreError> {
        let mut moved = 0;
        if self.tables.packs.get(pack)?.is_none() {
            return Ok(Thinned { moved, done: true });
        }
        loop {
            let first = self.tables.pack_blobs.range((pack, 0)..=(pack, u64::MAX))?.next().transpose()?;
            let Some((key, hash)) = first.map(|(key, hash)| (key.value(), BlobHash(*hash.value()))) else {
                self.write().packs.remove(pack)?;
                self.dropped_packs.push(pack);
                return Ok(Thinned { moved, done: true });
            };
            if moved >= budget {
                return Ok(Thinned { moved, done: false });
            }
            let Some(mut record) = self.blob(hash)? else {
                self.write().pack_blobs.remove(key)?;
                continue;
            };
            let (to, offset) = self.open_pack()?;
            if to == pack {
                return Ok(Thinned { moved, done: true });
            }
            self.appended = Appended::To(to);
            self.shared.packs.copy((pack, record.offset), record.len, (to, offset))?;
            self.write().pack_blobs.remove(key)?;
            (record.pack, record.offset) = (to, offset);
            self.write().pack_blobs.insert((to, offset), &hash.0)?;
            self.put_blob(hash, &record)?;
            self.account_for(pack, 0, record.len)?;
            self.account_for(to, record.len, 0)?;
            self.set_pack_end(to, offset + record.len)?;
            moved += record.len;
        }
    }

    /// The sealed packs of which less than half is alive, those first that cost least to drop.
    pub(crate) fn thin_packs(&self) -> Result<Vec<u32>, StoreError> {
        let last = self.tables.packs.last()?.map(|(number, _)| number.value());
        let mut thin = Vec::new();
        for pack in self.tables.packs.iter()? {
            let (number, state) = pack?;
            let (end, live) = state.value();
            if Some(number.value()) != last && live < end / 2 {
                thin.push((live, number.value()));
            }
        }
        thin.sort_unstable();
        Ok(thin.into_iter().map(|(_, number)| number).collect())
    }

    fn blob(&self, hash: BlobHash) -> Result<Option<BlobRecord>, StoreError> {
        match self.tables.blobs.get(&hash.0)? {
            Some(bytes) => Ok(Some(decode(bytes.value(), "a blob record")?)),
            None => Ok(None),
        }
    }

    fn put_blob(&mut self, hash: BlobHash, record: &BlobRecord) -> Result<(), StoreError> {
        let bytes = encode(record)?;
        self.write().blobs.insert(&hash.0, bytes.as_slice())?;
        Ok(())
    }

    /// The pack that takes more, and where it ends; a new one when the last is full.
    fn open_pack(&mut self) -> Result<(u32, u64), StoreError> {
        let last = self.tables.packs.last()?.map(|(number, state)| (number.value(), state.value().0));
        if let Some((pack, end)) = last
            && end < self.shared.options.pack_size
        {
            return Ok((pack, end));
        }
        if let Appended::To(full) = self.appended {
            self.shared.packs.sync(full)?;
        }
        let pack = narrow(self.next("pack")?)?;
        self.shared.packs.create(pack)?;
        self.write().packs.insert(pack, (0, 0))?;
        Ok((pack, 0))
    }

    fn set_pack_end(&mut self, pack: u32, end: u64) -> Result<(), StoreError> {
        let live = self.tables.packs.get(pack)?.map_or(0, |state| state.value().1);
        self.write().packs.insert(pack, (end, live))?;
        Ok(())
    }

    fn account_for(&mut self, pack: u32, more: u64, less: u64) -> Result<(), StoreError> {
        let (end, live) = self.tables.packs.get(pack)?.map_or((0, 0), |state| state.value());
        self.write().packs.insert(pack, (end, live.saturating_add(more).saturating_sub(less)))?;
        Ok(())
    }
}
