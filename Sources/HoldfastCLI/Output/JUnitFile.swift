internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

extension JUnitReport {
  static func write(_ report: Verify.Report, to path: Path, files: FileSystem) throws {
    let bytes = Array(xml(report).utf8)
    let temporary = Path(bytes: path.bytes + Array(".unfinished".utf8))
    if try files.statusIfPresent(of: temporary) != nil { try files.removeFile(temporary) }
    try bytes.withUnsafeBytes { try files.open(temporary, .create, permissions: 0o644).write($0, at: 0) }
    try files.rename(temporary, to: path, replacing: true)
  }
}
