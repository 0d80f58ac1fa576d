public import PostgresFormat

extension WALRecordDescription {
    /// A record's type, by the bits of `info` that belong to the resource manager.
    public static func name(_ manager: ResourceManager, info: UInt8, major: Int) -> String {
        let operation = info & 0xF0
        return known(manager, operation, major) ?? "UNKNOWN (\(String(operation, radix: 16)))"
    }

    private static func known(_ manager: ResourceManager, _ operation: UInt8, _ major: Int) -> String? {
        switch manager {
        // 0x80: there is a word of flags.
        case .transaction: return named(transaction, operation & 0x70)
        case .heap2: return named(major >= 17 ? heap2 : heap2Before17, operation) ?? initializing(heap2Init, operation)
        case .heap: return named(heap, operation) ?? initializing(heapInit, operation)
        case .brin: return named(brin, operation) ?? initializing(brinInit, operation)
        case .database: return named(major >= 15 ? database : databaseBefore15, operation)
        case .xlog: return operation == 0xE0 && major < 17 ? nil : named(xlog, operation)
        default: return named(others[manager] ?? [], operation)
        }
    }

    /// Names by operation; an empty one is none.
    private static func named(_ names: [String], _ operation: UInt8) -> String? {
        let index = Int(operation >> 4)
        return index < names.count && !names[index].isEmpty ? names[index] : nil
    }

    /// 0x80: the page is made anew, for the operations that can do that.
    private static func initializing(_ names: [String], _ operation: UInt8) -> String? {
        operation & 0x80 == 0 ? nil : named(names, operation & 0x70)
    }

    private static let xlog = [
        "CHECKPOINT_SHUTDOWN", "CHECKPOINT_ONLINE", "NOOP", "NEXTOID", "SWITCH", "BACKUP_END", "PARAMETER_CHANGE",
        "RESTORE_POINT", "FPW_CHANGE", "END_OF_RECOVERY", "FPI_FOR_HINT", "FPI", "", "OVERWRITE_CONTRECORD",
        "CHECKPOINT_REDO",
    ]
    private static let transaction = [
        "COMMIT", "PREPARE", "ABORT", "COMMIT_PREPARED", "ABORT_PREPARED", "ASSIGNMENT", "INVALIDATION",
    ]
    private static let database = ["CREATE_FILE_COPY", "CREATE_WAL_LOG", "DROP"]
    private static let databaseBefore15 = ["CREATE", "DROP"]
    private static let heap2 = [
        "REWRITE", "PRUNE_ON_ACCESS", "PRUNE_VACUUM_SCAN", "PRUNE_VACUUM_CLEANUP", "VISIBLE", "MULTI_INSERT",
        "LOCK_UPDATED", "NEW_CID",
    ]
    private static let heap2Before17 = [
        "REWRITE", "PRUNE", "VACUUM", "FREEZE_PAGE", "VISIBLE", "MULTI_INSERT", "LOCK_UPDATED", "NEW_CID",
    ]
    private static let heap2Init = ["", "", "", "", "", "MULTI_INSERT+INIT"]
    private static let heap = [
        "INSERT", "DELETE", "UPDATE", "TRUNCATE", "HOT_UPDATE", "HEAP_CONFIRM", "LOCK", "INPLACE",
    ]
    private static let heapInit = ["INSERT+INIT", "", "UPDATE+INIT", "", "HOT_UPDATE+INIT"]
    private static let brin = [
        "CREATE_INDEX", "INSERT", "UPDATE", "SAMEPAGE_UPDATE", "REVMAP_EXTEND", "DESUMMARIZE",
    ]
    private static let brinInit = ["", "INSERT+INIT", "UPDATE+INIT"]

    private static let others: [ResourceManager: [String]] = [
        .storage: ["", "CREATE", "TRUNCATE"],
        .clog: ["ZEROPAGE", "TRUNCATE"],
        .tablespace: ["CREATE", "DROP"],
        .multiXact: ["ZERO_OFF_PAGE", "ZERO_MEM_PAGE", "CREATE_ID", "TRUNCATE_ID"],
        .relationMap: ["UPDATE"],
        .standby: ["LOCK", "RUNNING_XACTS", "INVALIDATIONS"],
        .btree: [
            "INSERT_LEAF", "INSERT_UPPER", "INSERT_META", "SPLIT_L", "SPLIT_R", "INSERT_POST", "DEDUP", "DELETE",
            "UNLINK_PAGE", "UNLINK_PAGE_META", "NEWROOT", "MARK_PAGE_HALFDEAD", "VACUUM", "REUSE_PAGE", "META_CLEANUP",
        ],
        .hash: [
            "INIT_META_PAGE", "INIT_BITMAP_PAGE", "INSERT", "ADD_OVFL_PAGE", "SPLIT_ALLOCATE_PAGE", "SPLIT_PAGE",
            "SPLIT_COMPLETE", "MOVE_PAGE_CONTENTS", "SQUEEZE_PAGE", "DELETE", "SPLIT_CLEANUP", "UPDATE_META_PAGE",
            "VACUUM_ONE_PAGE",
        ],
        .gin: [
            "", "CREATE_PTREE", "INSERT", "SPLIT", "VACUUM_PAGE", "DELETE_PAGE", "UPDATE_META_PAGE", "INSERT_LISTPAGE",
            "DELETE_LISTPAGE", "VACUUM_DATA_LEAF_PAGE",
        ],
        .gist: ["PAGE_UPDATE", "DELETE", "PAGE_REUSE", "PAGE_SPLIT", "", "", "PAGE_DELETE", "ASSIGN_LSN"],
        .sequence: ["LOG"],
        .spgist: [
            "", "ADD_LEAF", "MOVE_LEAFS", "ADD_NODE", "SPLIT_TUPLE", "PICKSPLIT", "VACUUM_LEAF", "VACUUM_ROOT",
            "VACUUM_REDIRECT",
        ],
        .commitTimestamp: ["ZEROPAGE", "TRUNCATE"],
        .replicationOrigin: ["SET", "DROP"],
        .generic: ["Generic"],
        .logicalMessage: ["MESSAGE"],
    ]
}
