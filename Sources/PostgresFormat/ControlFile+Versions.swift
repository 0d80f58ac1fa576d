extension ControlFile {
    /// `CATALOG_VERSION_NO` of each supported release; none changes within a major version after its release.
    ///
    /// Source: PostgreSQL's `src/include/catalog/catversion.h`.
    static let catalogVersions: [UInt32: Int] = [
        202_107_181: 14, 202_209_061: 15, 202_307_071: 16, 202_406_281: 17, 202_506_291: 18,
    ]

    /// Where the CRC lies, which ends what it covers.
    static func crcOffset(controlVersion: UInt32) throws(FormatError) -> Int {
        switch controlVersion {
        case 1300, 1700: return 288
        case 1800: return 292
        default: break
        }
        // PostgreSQL's own test: a small number in the upper half is one with its bytes in the other order.
        guard controlVersion & 0xFFFF != 0 || controlVersion == 0 else {
            throw .wrongByteOrder(
                "the control file was written on a machine of the other byte order (its version reads "
                    + "\(controlVersion))")
        }
        throw .unsupportedVersion(
            "the control file has version \(controlVersion), which is of no PostgreSQL from "
                + "\(PGVersion.supported.lowerBound) to \(PGVersion.supported.upperBound)")
    }

    /// 14, 15 and 16 share a control file version: the catalogs tell them apart.
    static func major(controlVersion: UInt32, catalogVersion: UInt32) throws(FormatError) -> Int {
        guard let major = catalogVersions[catalogVersion],
            controlVersion == (major >= 18 ? 1800 : major == 17 ? 1700 : 1300)
        else {
            throw .unsupportedVersion(
                "control file version \(controlVersion) with catalog version \(catalogVersion) is of no release of "
                    + "PostgreSQL \(PGVersion.supported.lowerBound) to \(PGVersion.supported.upperBound)")
        }
        return major
    }
}
