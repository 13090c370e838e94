internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The catalog cache: the envelopes, notes and bodies of remote repositories that this machine keeps, in one file for
/// each repository (`CatalogFile`), by its ID. Objects never change under their keys, so they need not be read again.
package struct CatalogCache: Sendable {
  private let directory: Path?
  private let bytesMax: UInt64

  /// - Parameters:
  ///   - directory: the directory of caches on this machine; `nil` for no cache.
  ///   - bytesMax: the maximum number of bytes of the file of one repository.
  package init(directory: Path?, bytesMax: UInt64 = 64 << 20) {
    (self.directory, self.bytesMax) = (directory, bytesMax)
  }

  package static let none = CatalogCache(directory: nil)

  /// Returns the store with the cache over it. A store without latency gets none.
  func over(_ store: any Store, of repository: Identifier, files: FileSystem) -> any Store {
    guard let directory, !store.capabilities.isNear else { return store }
    return CatalogCacheStore(store, CatalogFile(of: repository, in: directory, files: files, bytesMax: bytesMax))
  }
}

/// A remote store whose small immutable objects are kept on this machine. A kept object is used only if a listing of
/// this run shows it with the length and the tag with which it was kept. So an object that was removed or replaced is
/// never taken from here. The code that opens an object checks it as if it came from the store.
struct CatalogCacheStore: StoreLayer {
  /// The number of bytes that are read ahead before they are kept: less than the memory of the layer below.
  private static let batchBytes: UInt64 = 4 << 20
  let base: any Store
  private let file: CatalogFile

  init(_ base: any Store, _ file: CatalogFile) { (self.base, self.file) = (base, file) }

  /// The same over another store that has the same objects.
  func over(_ store: any Store) -> CatalogCacheStore { CatalogCacheStore(store, file) }

  /// Returns the length and tag that the listing shows for a key; `nil` for an object that is not kept, or not listed.
  private func listed(toKeep key: String) -> (length: UInt64, tag: String?)? {
    guard Keys.isKept(key), case .object(let length?, let tag) = base.listed(key),
      length <= UInt64(CatalogRecord.objectBytesMax)
    else { return nil }
    return (length, tag)
  }

  func openAnew(_ key: String) throws -> any ReadableBytes { try base.openAnew(key) }

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    guard let listed = listed(toKeep: key) else { return try base.open(key, length: length) }
    if length == nil || length == listed.length,
      let known = file.object(key, length: listed.length, tag: listed.tag)
    {
      return KeptObject(bytes: known, file: file, elsewhere: { [base] in try base.open(key, length: length) })
    }
    let object = try base.open(key, length: length)
    guard object.length == listed.length else { return object }
    let bytes = try object.contents(max: CatalogRecord.objectBytesMax)
    if let record = CatalogRecord(key: key, tag: listed.tag, bytes: bytes) { file.keep([record]) }
    return KeptObject(bytes: MemoryBytes(bytes, name: object.name), file: file, elsewhere: { object })
  }

  /// Reads the objects that are not kept yet, and keeps them.
  func prefetch(_ objects: [(key: String, length: UInt64?)]) {
    var missing: [(key: String, length: UInt64, tag: String?)] = []
    var others: [(key: String, length: UInt64?)] = []
    for object in objects {
      if let listed = listed(toKeep: object.key) {
        guard !file.has(object.key, length: listed.length, tag: listed.tag) else { continue }
        missing.append((object.key, listed.length, listed.tag))
      } else {
        others.append(object)
      }
    }
    dropWhatIsGone(from: Set(objects.compactMap { Keys.sourceFolder($0.key) }))
    if !others.isEmpty { base.prefetch(others) }
    while !missing.isEmpty {
      var bytes: UInt64 = 0
      let batch = missing.prefix { object in
        bytes += object.length
        return bytes <= Self.batchBytes
      }
      missing.removeFirst(batch.count)
      guard keep(Array(batch)) else { return }
    }
  }

  /// Lets the store below read the objects that are not kept. Nothing is written on this machine.
  func readIntoMemory(_ objects: [(key: String, length: UInt64?)]) {
    base.prefetch(
      objects.filter { object in
        guard let listed = listed(toKeep: object.key) else { return true }
        return !file.has(object.key, length: listed.length, tag: listed.tag)
      })
  }

  /// - Returns: true if all of it could be read. If not, the code that opens it gets the error.
  private func keep(_ batch: [(key: String, length: UInt64, tag: String?)]) -> Bool {
    base.prefetch(batch.map { ($0.key, $0.length) })
    var records: [CatalogRecord] = []
    defer { file.keep(records) }
    for (key, length, tag) in batch {
      guard let bytes = try? base.open(key, length: length).contents(max: CatalogRecord.objectBytesMax) else {
        return false
      }
      if let record = CatalogRecord(key: key, tag: tag, bytes: bytes) { records.append(record) }
    }
    return true
  }

  /// Drops kept objects that a listing of their source no longer shows.
  private func dropWhatIsGone(from folders: Set<String>) {
    let kept = Dictionary(grouping: file.keys) { Keys.sourceFolder($0) ?? "" }
    for folder in folders {
      let keys = kept[folder] ?? []
      // If nothing at all is listed, maybe no listing was made, or it was forgotten meanwhile.
      guard let there = keys.first(where: { base.listed($0) != nil }) else { continue }
      let gone = keys.filter { base.listed($0) == nil }
      if base.listed(there) != nil { file.drop(gone) }
    }
  }

  func upload(_ key: String) throws -> any ObjectUpload {
    let upload = try base.upload(key)
    guard Keys.isKept(key) else { return upload }
    return CatalogUpload(upload) { bytes in
      // If this run reads the object, it reads it from the store: only then it knows that the object is stored.
      if let record = CatalogRecord(key: key, tag: base.tag(of: bytes), bytes: bytes) {
        file.keep([record], areOwn: true)
      }
    }
  }
}

/// An object that is kept on this machine. If it turns out to be damaged, it is forgotten.
private struct KeptObject: ReadableBytes {
  let bytes: any ReadableBytes
  let file: CatalogFile
  /// Opens it in the store.
  let elsewhere: @Sendable () throws -> any ReadableBytes

  var length: UInt64 { bytes.length }
  var name: String { bytes.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try bytes.read(into: buffer, at: offset)
  }

  var copies: [any ReadableBytes] { (try? elsewhere().copies) ?? [] }

  func noteDamage(_ damage: any Error) { file.drop([bytes.name]) }
}

/// An upload of a small object, which is kept once it is committed.
private final class CatalogUpload: ObjectUpload {
  private let base: any ObjectUpload
  private let keep: @Sendable ([UInt8]) -> Void
  /// The parts by their offsets; `nil` when they are too many to be kept.
  private let parts = Mutex<[UInt64: [UInt8]]?>([:])

  init(_ base: any ObjectUpload, _ keep: @escaping @Sendable ([UInt8]) -> Void) {
    (self.base, self.keep) = (base, keep)
  }

  var partBytes: Int? { base.partBytes }

  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    note(bytes, at: offset)
    try base.send(bytes, at: offset)
  }

  func commit() throws {
    try base.commit()
    keepWhole()
  }

  func commit(with bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    note(bytes, at: offset)
    try base.commit(with: bytes, at: offset)
    keepWhole()
  }

  private func note(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
    parts.withLock { parts in
      guard let sent = parts?.values.reduce(bytes.count, { $0 + $1.count }), sent <= CatalogRecord.objectBytesMax else {
        return parts = nil
      }
      parts?[offset] = Array(bytes)
    }
  }

  private func keepWhole() {
    guard let parts = parts.withLock({ $0 }) else { return }
    let sorted = parts.sorted { $0.key < $1.key }
    keep(sorted.flatMap(\.value))
  }

  func abort() { base.abort() }
}
