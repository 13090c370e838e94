package import HoldfastSystem

/// How a location is to be opened.
package struct OpeningOptions: Sendable {
  /// The ID of a group with which a new repository in a directory is shared.
  package var group: UInt32?
  /// How fast bytes come from the store, and how fast they go to it; `nil` for no bound.
  package var reading: RateLimit?
  package var writing: RateLimit?
  /// Which objects may be kept in memory: see `CachingStore`.
  package var isCached: @Sendable (_ key: String) -> Bool = { _ in false }

  package init() {}
}

/// Which schemes of locations can be opened, and how: a value that is handed down to whoever opens one.
package struct StoreSchemes: Sendable {
  /// Makes the store of a location of its scheme, without layers.
  package typealias Opener = @Sendable (StoreLocation, Host, OpeningOptions) throws -> any Store

  private var openers: [StoreLocation.Scheme: Opener]

  /// Those that this build has.
  package static let builtIn = StoreSchemes([
    .directory: { location, host, options in
      guard let directory = location.directory else { throw LocationError.unsupported(location.scheme) }
      return LocalStore(directory: directory, host: host, sharedWith: options.group)
    }
  ])

  package init(_ openers: [StoreLocation.Scheme: Opener]) { self.openers = openers }

  /// Opens a location: its store, with the layers that it needs. Nothing is asked of it yet.
  /// - Throws: `LocationError` for a scheme that this build cannot open.
  package func open(
    _ location: StoreLocation, _ host: Host, _ options: OpeningOptions = OpeningOptions()
  ) throws -> any Store {
    guard let opener = openers[location.scheme] else { throw LocationError.unsupported(location.scheme) }
    return Self.layered(try opener(location, host, options), host, options)
  }

  /// A directory of this machine stays as it is, unless it is to be read or written slowly. Far away, the layers lie in
  /// this order: each try counts against the limit, what is fetched ahead is tried again by itself, and what is kept is
  /// asked for once.
  private static func layered(_ store: any Store, _ host: Host, _ options: OpeningOptions) -> any Store {
    var store = store
    if options.reading != nil || options.writing != nil {
      store = RateLimitedStore(store, reading: options.reading, writing: options.writing)
    }
    guard !store.capabilities.isNear else { return store }
    store = RetryingStore(store, Retrier(host: host))
    if store.capabilities.readsRanges { store = ReadAheadStore(store) }
    return CachingStore(store, isCached: options.isCached)
  }
}
