package import HoldfastModel

/// What lies where (format.md, section 1): the one place that knows the keys of objects.
package enum Keys {
  package static let descriptor = "holdfast.json"
  package static let sources = "sources/"
  package static let keyring = "keyring/"
  package static let wal = "wal/"
  package static let manifestName = "manifest.json"

  package static func source(_ name: SourceName) -> String { "\(sources)\(name)/" }

  package static func snapshot(_ name: SourceName, _ sequence: UInt64) -> String {
    source(name) + digits(sequence) + "/"
  }

  package static func keyring(_ revision: UInt64) -> String { keyring + digits(revision) + ".json" }

  /// Where the revisions of the notes on a source lie.
  package static func notes(_ name: SourceName) -> String { source(name) + "notes/" }

  /// What belongs to one revision of them.
  package static func notesFolder(_ name: SourceName, _ revision: UInt64) -> String {
    notes(name) + digits(revision) + "/"
  }

  package static func notes(_ name: SourceName, _ revision: UInt64) -> String {
    notesFolder(name, revision) + "notes.json"
  }

  /// Where the journals of the sources lie.
  package static let journals = "journal/"

  /// Where the journal of a source lies, under ascending numbers.
  package static func journal(_ name: SourceName) -> String { "\(journals)\(name)/" }

  package static func journal(_ name: SourceName, _ number: UInt64) -> String { journal(name) + digits(number) }

  private static func digits(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 10 - digits.count)) + digits
  }

  package static func manifest(_ name: SourceName, _ sequence: UInt64) -> String {
    snapshot(name, sequence) + manifestName
  }

  package static func body(_ name: SourceName, _ sequence: UInt64, _ id: Identifier) -> String {
    snapshot(name, sequence) + "body-\(id)"
  }

  package static func archive(_ name: SourceName, _ sequence: UInt64, _ id: Identifier) -> String {
    snapshot(name, sequence) + "archive-\(id)"
  }

  // MARK: The archive of write-ahead logs

  package static func wal(_ name: SourceName) -> String { "\(wal)\(name)/" }

  package static func wal(_ name: SourceName, _ system: SystemIdentifier) -> String { "\(wal(name))\(system)/" }

  /// - Parameter directory: of a file's name.
  package static func wal(_ name: SourceName, _ system: SystemIdentifier, _ directory: String) -> String {
    "\(wal(name, system))\(directory)/"
  }

  /// What pushes hold that add to the log of a cluster. No source has a name with a slash in it, and its lock has its name.
  package static func walLock(_ name: SourceName, _ system: SystemIdentifier) -> String { "wal/\(name)/\(system)" }

  /// - Parameter copy: from 1 on: a file that was damaged is archived once more beside what is there.
  package static func walManifest(
    _ name: SourceName, _ system: SystemIdentifier, _ file: WALFileName, copy: UInt64 = 1
  ) -> String {
    wal(name, system, file.directory) + file.text + (copy == 1 ? "" : ".\(copy)") + walSuffix
  }

  package static func walObject(
    _ name: SourceName, _ system: SystemIdentifier, _ file: WALFileName, _ id: Identifier
  ) -> String {
    wal(name, system, file.directory) + "\(file.text)-\(id)"
  }

  /// The file whose manifest has this name in a directory of the archive, and the number of the copy; `nil` for anything else.
  package static func walFile(
    _ name: some StringProtocol, in directory: String
  ) -> (file: WALFileName, copy: UInt64)? {
    guard name.hasSuffix(walSuffix) else { return nil }
    let stem = name.dropLast(walSuffix.count)
    if let file = WALFileName(stem) { return file.directory == directory ? (file, 1) : nil }
    guard let point = stem.lastIndex(of: "."), let copy = UInt64(stem[stem.index(after: point)...]), copy > 1,
      stem.hasSuffix(".\(copy)"), let file = WALFileName(stem[..<point]), file.directory == directory
    else { return nil }
    return (file, copy)
  }

  /// The file of which an object with this name in a directory of the archive holds the bytes; `nil` for anything else.
  package static func walObjectFile(_ name: some StringProtocol) -> WALFileName? {
    guard let hyphen = name.lastIndex(of: "-"), Identifier(String(name[name.index(after: hyphen)...])) != nil else {
      return nil
    }
    return WALFileName(name[..<hyphen])
  }

  private static let walSuffix = ".json"

  /// The number that a name below `source(_:)` or `notes(_:)` spells; `nil` for anything else. Numbers begin with 1.
  package static func sequence(_ text: some StringProtocol) -> UInt64? {
    guard text.utf8.count == 10, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return nil
    }
    return UInt64(text).flatMap { $0 >= 1 ? $0 : nil }
  }
}
