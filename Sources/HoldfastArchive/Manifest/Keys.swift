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

  package static func walManifest(_ name: SourceName, _ system: SystemIdentifier, _ file: WALFileName) -> String {
    wal(name, system, file.directory) + file.text + walSuffix
  }

  package static func walObject(
    _ name: SourceName, _ system: SystemIdentifier, _ file: WALFileName, _ id: Identifier
  ) -> String {
    wal(name, system, file.directory) + "\(file.text)-\(id)"
  }

  /// The file whose manifest has this name in a directory of the archive; `nil` for anything else.
  package static func walFile(_ name: some StringProtocol, in directory: String) -> WALFileName? {
    guard name.hasSuffix(walSuffix), let file = WALFileName(name.dropLast(walSuffix.count)),
      file.directory == directory
    else { return nil }
    return file
  }

  private static let walSuffix = ".json"

  /// The number that a name below `source(_:)` or `notes(_:)` spells; `nil` for anything else.
  package static func sequence(_ text: some StringProtocol) -> UInt64? {
    guard text.utf8.count == 10, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return nil
    }
    return UInt64(text)
  }
}
