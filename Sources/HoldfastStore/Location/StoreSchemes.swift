package import HoldfastSystem

/// The options with which a location is opened.
package struct OpeningOptions: Sendable {
  /// The ID of the group with which a new repository in a directory is shared.
  package var group: UInt32?
  /// The limits for reading and writing; `nil` for none.
  package var reading: RateLimit?
  package var writing: RateLimit?
  /// Returns true if an object may be kept in memory: see `CachingStore`.
  package var isCached: @Sendable (_ key: String) -> Bool = { _ in false }
  /// Returns the folders that are listed only once: see `ListedStore`.
  package var listedFolders: @Sendable (_ prefix: String) -> [String] = { _ in [] }
  /// The command that connects to SFTP servers; `nil` for `ssh`.
  package var sshCommand: String?
  /// Counts the requests to an SFTP server.
  package var traffic = Traffic()
  /// Gets a sentence for the operator when a server does not answer and is asked again. Any thread may call it.
  package var tell: @Sendable (String) -> Void = { _ in }
  /// The settings for buckets; `nil` if no bucket can be reached.
  package var s3: S3Settings?

  package init() {}
}

/// The schemes that can be opened, each with the function that opens it. The value is passed down to the code that
/// opens locations.
package struct StoreSchemes: Sendable {
  /// Makes the store for a location, without layers.
  package typealias Opener = @Sendable (StoreLocation, Host, OpeningOptions) throws -> any Store

  private var openers: [StoreScheme: Opener]

  /// The schemes of this build.
  package static let builtIn = StoreSchemes([
    .directory: { location, host, options in
      guard let directory = location.directory else { throw LocationError.unsupported(location.scheme) }
      return LocalStore(directory: directory, host: host, sharedWith: options.group)
    },
    .sftp: { location, host, options in
      guard case .sftp(let user, let server, let path) = location else {
        throw LocationError.unsupported(location.scheme)
      }
      let address = SFTPAddress(user: user, host: server.host, port: server.port, location: location.description)
      return SFTPStore(address, path: path, command: options.sshCommand, host: host, traffic: options.traffic)
    },
    .s3: { location, host, options in
      guard case .s3(let server, let bucket, let prefix) = location, let settings = options.s3 else {
        throw LocationError.unsupported(location.scheme)
      }
      return S3Store(
        server, bucket: bucket, prefix: prefix, location: location.description, settings, host: host)
    },
  ])

  package init(_ openers: [StoreScheme: Opener]) { self.openers = openers }

  /// Opens a location: its store with the layers that it needs. No request is made yet.
  /// - Throws: `LocationError` for a scheme that this build cannot open.
  package func open(
    _ location: StoreLocation, _ host: Host, _ options: OpeningOptions = OpeningOptions()
  ) throws -> any Store {
    if let s3 = options.s3, location.scheme != .s3, s3.lock != nil || s3.versions != .current {
      throw LocationError.notABucket(location.text)
    }
    guard let opener = openers[location.scheme] else { throw LocationError.unsupported(location.scheme) }
    return Self.layered(try opener(location, host, options), host, options)
  }

  /// Adds the layers that a store needs. A local directory gets none, except for a limited rate. For a remote store the
  /// order of the layers matters: each retry counts against the rate limit, reading ahead is retried too, and kept
  /// objects cause no request.
  private static func layered(_ store: any Store, _ host: Host, _ options: OpeningOptions) -> any Store {
    var store = store
    if options.reading != nil || options.writing != nil {
      store = RateLimitedStore(store, reading: options.reading, writing: options.writing)
    }
    guard !store.capabilities.isNear else { return store }
    store = RetryingStore(store, Retrier(host: host, tell: options.tell))
    if store.capabilities.readsRanges { store = ReadAheadStore(store) }
    return ListedStore(CachingStore(store, isCached: options.isCached), folders: options.listedFolders)
  }
}
