import PostgresFormat

/// `seq_redo`: the page of a sequence is written as a whole.
///
/// Source: PostgreSQL's `src/backend/commands/sequence.c`.
func redoSequence(_ record: WALRecord, _ page: RedoPage) throws(RedoFault) {
    var data = RecordData(record.mainData)
    _ = try data.read(relationLocatorBytes)
    page.initialize(specialSize: 8)
    page.store(sequenceMagic, page.special)
    try page.add(data.rest, at: 1, overwrites: false)
}

private let relationLocatorBytes = 12
/// `SEQ_MAGIC`.
private let sequenceMagic: UInt32 = 0x1717
