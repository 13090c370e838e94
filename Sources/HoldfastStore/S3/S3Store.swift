package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Objects in a bucket of S3, below a prefix.
package struct S3Store: Store {
  /// The number of objects that are removed with one request.
  private static let removedAtOnce = 1000
  /// The length from which an object is expected to be read in many ranges at once, in bytes.
  private static let longBytes: UInt64 = 16 << 20
  private static let foldersMax = 16

  package let location: String
  let client: S3Client
  let prefix: String
  let settings: S3Settings

  /// - Parameters:
  ///   - prefix: empty, or ends with `/`.
  ///   - location: as text for people.
  package init(
    _ server: HTTPServer, bucket: String, prefix: String, location: String, _ settings: S3Settings, host: Host
  ) {
    self.location = location
    self.prefix = prefix
    self.settings = settings
    client = S3Client(server, bucket: bucket, location: location, settings, host: host)
  }

  package var scheme: StoreScheme { .s3 }

  package var connections: Int { settings.connections }

  package var capabilities: StoreCapabilities {
    var capabilities = StoreCapabilities()
    capabilities.createsIfAbsent = !settings.isSingleWriter
    capabilities.locks = false
    capabilities.objectLock = settings.lock
    capabilities.isNear = false
    return capabilities
  }

  /// Tests the bucket.
  /// - Throws: `S3Error.replacesObjects` if the server replaces objects, unless the operator has said that only one
  ///   machine writes.
  package func probe(_ random: Randomness) throws -> StoreProbe {
    var probe = try ProbeRun(store: self, random: random).run()
    try tryLock(&probe, random)
    guard probe.capabilities.createsIfAbsent || settings.isSingleWriter else {
      throw S3Error.replacesObjects(location: location)
    }
    return probe
  }

  package func serverTime() throws -> Timestamp? {
    // A refusal has the time as well: also that of a clock which is so far off that the server refuses everything.
    try client.answer(S3Request("HEAD", nil)).headers["date"].flatMap { HTTPDate.parse($0) }
  }

  // MARK: Listing

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    let whole = self.prefix + prefix
    var entries = FirstEntries(max: max, location: location)
    try forEach(whole, depth) { key, kind in
      let rest = String(key.dropFirst(whole.count))
      // Some tools make an object that has the name of a folder.
      guard !rest.isEmpty, kind == .folder || !rest.hasSuffix("/"), name?.precedesInListing(rest) ?? true else {
        return
      }
      try entries.add(ListingEntry(name: rest, kind: kind))
    }
    return entries.page
  }

  /// Looks for objects. Every listing is read from its beginning, and that of a large folder takes long. So a single
  /// object is asked for by itself.
  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] {
    guard keys.count == 1, settings.versions == .current else { return try findInListing(keys) }
    let answer = try client.answer(S3Request("HEAD", try key(keys[0])))
    if answer.status == 404 { return [nil] }
    // A user who may only list finds it in a listing.
    guard answer.isSuccess, let length = answer.headers["content-length"].flatMap({ UInt64($0) }) else {
      return try findInListing(keys)
    }
    let storageClass = answer.headers["x-amz-storage-class"].flatMap { FrozenObject.StorageClass(rawValue: $0) }
    let tag = S3Listing.tag(answer.headers["etag"])
    return [storageClass == nil ? .object(length: length, tag: tag) : .cold(length: length)]
  }

  /// Returns the MD5 of the bytes. A small object is sent with one request, and then most servers take its MD5 for its
  /// tag, unless they encrypt it.
  package func tag(of bytes: [UInt8]) -> String? { Hex.encode(S3Client.md5(bytes)) }

  private func forEach(
    _ prefix: String, _ depth: ListingDepth, _ body: (_ key: String, _ kind: ListingEntry.Kind) throws -> Void
  ) throws {
    guard settings.versions != .current else {
      return try S3Listing(client: client).forEachPage(prefix, delimiter: depth == .children ? "/" : "") { page in
        for entry in page { try body(entry.key, entry.kind) }
      }
    }
    // Versions come in the order of their keys, so the versions in one folder are neighbours.
    var last: String?
    try S3Versions(client: client).forEach(prefix, settings.versions) { entry in
      if depth == .children, let slash = entry.key.dropFirst(prefix.count).firstIndex(of: "/") {
        let folder = String(entry.key[...slash])
        if folder != last { try body(folder, .folder) }
        last = folder
      } else {
        // The ID distinguishes this version from others in what this machine keeps.
        let length = entry.length
        try body(
          entry.key, entry.isCold ? .cold(length: length ?? 0) : .object(length: length, tag: entry.id))
      }
    }
  }

  package func frozen(_ keys: [String]) throws -> [FrozenObject] {
    let wholes = try keys.map { try key($0) }
    let found = Mutex<[FrozenObject]>([])
    try SideBySide.run(wholes.count, threads: connections) { [self] index in
      var version: String?
      if settings.versions != .current {
        version = try S3Versions(client: client).chosen(wholes[index], settings.versions)?.id
      }
      let query = version.map { [("versionId", $0)] } ?? []
      let answer = try client.answer(S3Request("HEAD", wholes[index], query: query))
      // A missing object is reported when it is read.
      if answer.status == 404 { return }
      guard answer.isSuccess else { throw client.failure(answer, key: keys[index], "s3:GetObject") }
      let object = FrozenObject(answer, bucket: client.bucket, key: wholes[index], version: version)
      if let object { found.withLock { $0.append(object) } }
    }
    return found.withLock { $0 }.sorted { $0.key.precedesInListing($1.key) }
  }

  // MARK: Reading

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let whole = try self.key(key)
    if settings.versions != .current { return try openVersion(key, whole, length) }
    guard let length else { return try S3Object(opening: client, key: whole, name: key) }
    if length >= Self.longBytes { client.prepareTransfer() }
    return S3Object(client, key: whole, name: key, length: length)
  }

  // MARK: Writing

  package func upload(_ key: String) throws -> any ObjectUpload {
    try upload(
      key,
      settings.isSingleWriter ? .keptByLooking : .keptByServer(isLookedFor: !settings.isArchive(key)))
  }

  /// A server puts an object in the place of another one in one step, also one that is made of parts.
  package func replacement(of key: String) throws -> (any ObjectUpload)? { try upload(key, .replaced) }

  private func upload(_ key: String, _ existing: S3Upload.Existing) throws -> S3Upload {
    try checkWritable()
    var headers: [(name: String, value: String)] = []
    if settings.isArchive(key), let storageClass = settings.archiveStorageClass {
      headers.append(("x-amz-storage-class", storageClass))
    }
    if let lock = settings.lock, settings.isLocked(key) {
      headers += S3Retention.headers(lock, until: lock.end(from: client.clock.now()))
    }
    return S3Upload(client, key: try self.key(key), name: key, headers: headers, existing)
  }

  package func remove(_ key: String) throws {
    try checkWritable()
    let answer = try client.answer(S3Request("DELETE", try self.key(key)))
    if answer.isSuccess || answer.status == 404 { return }
    throw refusal(answer, key)
  }

  private func refusal(_ answer: HTTPAnswer, _ key: String) -> any Error {
    let failure = client.failure(answer, key: key, "s3:DeleteObject")
    guard case S3Error.notPermitted = failure else { return failure }
    return S3Retention.refusal(client, key: prefix + key, name: key, asks: settings.isLocked(key))
  }

  package func removeAll(below prefix: String) throws {
    try checkWritable()
    let whole = self.prefix + prefix
    try S3Uploads(client: client).abortAll(below: whole)
    try S3Listing(client: client).forEachPage(whole) { page in
      let keys = page.map(\.key)
      let folders = Set(keys.flatMap { foldersBelowRoot(of: $0) }).subtracting(foldersBelowRoot(of: whole))
      try remove(keys, folders)
    }
    try remove([], Set(foldersBelowRoot(of: whole)))
  }

  /// Removes keys and folders. SeaweedFS keeps and lists directories from which everything was removed, until they are
  /// removed as if they were objects. It keeps directories that are not empty. Other servers have no object with such a
  /// key.
  private func remove(_ keys: [String], _ folders: Set<String>) throws {
    let all = keys + folders.sorted { $0.count > $1.count }
    for start in stride(from: 0, to: all.count, by: Self.removedAtOnce) {
      try S3Removal(client: client, prefix: prefix, isLocked: settings.isLocked)
        .remove(Array(all[start..<min(start + Self.removedAtOnce, all.count)]), connections: connections)
    }
  }

  /// Returns the folders on the way to a key, beyond the prefix of the location. Returns none for a key with more
  /// levels than a repository has.
  private func foldersBelowRoot(of key: String) -> [String] {
    let slashes = key.indices.dropFirst(prefix.count).filter { key[$0] == "/" }
    return slashes.count <= Self.foldersMax ? slashes.map { String(key[...$0]) } : []
  }

  package func unfinished(below prefix: String, _ depth: ListingDepth) throws -> [UnfinishedObject] {
    guard depth == .everything else { return [] }
    return try S3Uploads(client: client).entries(below: self.prefix + prefix).map {
      UnfinishedObject(key: String($0.key.dropFirst(self.prefix.count)), uploadID: $0.id)
    }
  }

  package func removeUnfinished(_ objects: [UnfinishedObject]) throws {
    try checkWritable()
    for object in objects {
      if let id = object.uploadID { try S3Uploads(client: client).abort(key: key(object.key), id: id) }
    }
  }

  package func removeBriefly(_ keys: [String]) throws {
    try checkWritable()
    guard keys.count > 1 else { return try keys.forEach { try remove($0) } }
    try S3Removal(client: client, prefix: prefix, isLocked: settings.isLocked).remove(
      try keys.map { try key($0) }, connections: connections)
  }

  /// Returns the key below the bucket.
  func key(_ key: String) throws -> String {
    guard !key.isEmpty, Path(key).isSoundEntryPath, key.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) else {
      throw StoreError.invalidKey(key)
    }
    return prefix + key
  }
}
