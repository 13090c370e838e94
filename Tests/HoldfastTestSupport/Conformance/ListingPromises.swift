internal import HoldfastStore
internal import HoldfastSystem

/// The promises about listings, and about removals.
extension StoreConformance {
  func checkNames(_ store: any Store) throws {
    try expectNames([], below: "", in: store, "a new store is not empty")
    for key in ["b", "a/2", "a/10", "a/1/x", "a/1/y", "a.b", "a-b/c", "B"] { try put([0], at: key, in: store) }
    try expectNames(["B", "a-b/", "a.b", "a/", "b"], below: "", in: store)
    try expectNames(["1/", "10", "2"], below: "a/", in: store)
    try expectNames(["x", "y"], below: "a/1/", in: store, "below a/1/")
    try expectNames([], below: "nothing/", in: store, "below what is not there")
    try expectNames([], below: "b/", in: store, "below an object")
  }

  func checkUnfinished(_ store: any Store) throws {
    try put([1], at: "a/finished", in: store)
    let writer = try store.create("a/unfinished")
    try write([1], to: writer)
    try expectNames(["finished"], below: "a/", in: store)
    try writer.commit()
    try expectNames(["finished", "unfinished"], below: "a/", in: store)
  }

  func checkRemovalOfOne(_ store: any Store) throws {
    for key in ["a/1/x", "a/1/xy", "b"] { try put([0], at: key, in: store) }
    try store.remove("a/1/x")
    try store.remove("a/1/x")
    try store.remove("nothing/there")
    try expectMissing("a/1/x", in: store)
    try expectNames(["xy"], below: "a/1/", in: store)
    try put([1], at: "a/1/x", in: store)
    try expectThrows(StoreError.invalidKey("../x")) { try store.remove("../x") }
  }

  func checkRemoval(_ store: any Store) throws {
    for key in ["a/1/x", "a/1/y/z", "a/10/x", "a/2", "b"] { try put([0], at: key, in: store) }
    try store.removeAll(below: "a/1/")
    try expectMissing("a/1/x", in: store)
    try expectMissing("a/1/y/z", in: store)
    try expectNames(["10/", "2"], below: "a/", in: store)
    try store.removeAll(below: "a/")
    try expectNames(["b"], below: "", in: store)
  }

  func checkRemovalOfUnfinished(_ store: any Store) throws {
    let writer = try store.create("a/1/x")
    try write([1], to: writer)
    try store.removeAll(below: "a/1/")
    try expectNames([], below: "a/", in: store)
    writer.abort()
    try expectMissing("a/1/x", in: store)
  }

  // MARK: Pages

  private static var keys: [String] { ["b", "a/2", "a/10", "a/1/x", "a/1/y", "a.b", "a-b/c", "B"] }

  func checkPages(_ store: any Store) throws {
    for key in Self.keys { try put([0], at: key, in: store) }
    for (depth, expected) in [
      (.children, ["B", "a-b/", "a.b", "a/", "b"]), (.everything, Self.keys.sorted { $0.precedesInListing($1) }),
    ] as [(ListingDepth, [String])] {
      for max in 1...expected.count + 1 {
        try expectListed("\(depth) in pages of \(max)", expected, in: store) {
          try pages(of: "", depth, max: max, in: store)
        }
      }
      for after in ["", "A", "B", "a", "a-b/", "a/", "a/1", "a/1/x", "a/10", "zz"] {
        let rest = expected.filter { after.precedesInListing($0) }
        try expectListed("\(depth) after \"\(after)\"", rest, in: store) {
          try pages(of: "", depth, after: after, max: 100, in: store)
        }
      }
    }
    try expectListed("below a/", ["1/x", "1/y", "10", "2"], in: store) {
      try pages(of: "a/", .everything, max: 3, in: store)
    }
    try expect(try store.list("nothing/", .everything, after: nil, max: 1) == .empty, "something below nothing")
  }

  private func pages(
    of prefix: String, _ depth: ListingDepth, after name: String? = nil, max: Int, in store: any Store
  ) throws -> [String] {
    try entries(of: prefix, depth, after: name, max: max, in: store).map(\.name)
  }

  /// Returns all entries after `name`, page by page.
  private func entries(
    of prefix: String, _ depth: ListingDepth, after name: String? = nil, max: Int, in store: any Store
  ) throws -> [ListingEntry] {
    var entries: [ListingEntry] = []
    var last = name
    while true {
      let page = try store.list(prefix, depth, after: last, max: max)
      try expect(page.entries.count <= max, "a page has \(page.entries.count) entries, and \(max) were asked for")
      entries += page.entries
      guard !page.isLast else { return entries }
      try expect(!page.entries.isEmpty, "a page is empty, and not the last")
      last = page.entries.last?.name
    }
  }

  func checkLengths(_ store: any Store) throws {
    try put([], at: "a/empty", in: store)
    try put([UInt8](repeating: 1, count: 70_000), at: "a/long", in: store)
    try put([1], at: "a/b/short", in: store)
    func object(_ name: String, _ length: UInt64) -> ListingEntry {
      ListingEntry(name: name, kind: .object(length: store.capabilities.listsLengths ? length : nil))
    }
    let children = [ListingEntry(name: "b/", kind: .folder), object("empty", 0), object("long", 70_000)]
    try expectListed("children", children, in: store) {
      try entries(of: "a/", .children, max: 10, in: store).map(\.untagged)
    }
    try expectListed("everything", [object("b/short", 1), object("empty", 0), object("long", 70_000)], in: store) {
      try entries(of: "a/", .everything, max: 10, in: store).map(\.untagged)
    }
  }

  /// Checks that every way to list shows the same tag, and another one for other bytes, if listings show tags.
  func checkTags(_ store: any Store) throws {
    guard store.capabilities.listsAtOnce else { return }
    try put([1, 2], at: "t/b/first", in: store)
    try put([2, 1], at: "t/b/second", in: store)
    let tags = try entries(of: "t/", .everything, max: 10, in: store).map(\.kind.tag)
    try expect(tags == (try entries(of: "t/b/", .children, max: 10, in: store).map(\.kind.tag)), "children: \(tags)")
    try expect(tags == (try store.find(["t/b/first", "t/b/second"]).map { $0?.tag }), "found: \(tags)")
    guard let first = tags.first, first != nil else { return }
    try expect(Set(tags).count == 2, "two contents have one tag: \(tags)")
  }

  func checkFinding(_ store: any Store) throws {
    for number in 1...30 { try put([UInt8](repeating: 0, count: number), at: "s/\(number)/object", in: store) }
    try put([1, 2], at: "t/x", in: store)
    let keys = ["s/7/object", "t/x", "s/30/object", "s/31/object", "s/7/objec", "s/7", "u", "s/1/object", "t/x"]
    let lengths: [UInt64?] = [7, 2, 30, nil, nil, nil, nil, 1, 2]
    let told = store.capabilities.listsLengths
    try expectListed("found", lengths.map { $0.map { .object(length: told ? $0 : nil) } }, in: store) {
      try store.find(keys).map { kind -> ListingEntry.Kind? in
        if case .folder = kind { return nil }
        return kind?.untagged
      }
    }
    try expect(try store.find([]).isEmpty, "something was found of nothing")
  }

  // MARK: Declarations

  func checkSettling(_ store: any Store) throws {
    try put([1], at: "a/b/c", in: store)
    for prefix in ["a/b/", "a/", "", "nothing/there/"] { try store.settle(below: prefix) }
    try expect(try read(store.open("a/b/c")) == [1], "what was settled is gone")
  }

  func checkProbe(_ store: any Store) throws {
    let probe = try store.probe(.system)
    try expect(probe.weaknesses.isEmpty, "\(probe.weaknesses)")
    try expect(probe.capabilities == store.capabilities, "it declares more than it keeps: \(probe.capabilities)")
    try expectNames([], below: "", in: store, "something of the trial is left")
  }
}

extension ListingEntry {
  /// The entry without what only some stores show.
  fileprivate var untagged: ListingEntry { ListingEntry(name: name, kind: kind.untagged) }
}

extension ListingEntry.Kind {
  fileprivate var untagged: ListingEntry.Kind {
    if case .object(let length, _) = self { .object(length: length) } else { self }
  }

  fileprivate var tag: String? {
    if case .object(_, let tag) = self { tag } else { nil }
  }
}
