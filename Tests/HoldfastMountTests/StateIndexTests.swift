import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The index of a state finds what a walk over the state finds.
@Suite struct StateIndexTests {
  @Test(arguments: Trials.seeds(byDay: 3, atNight: 40))
  func everyEntryIsFoundByItsPathAndInItsDirectory(seed: UInt64) throws {
    let shop = try TestShop(isSealed: seed.isMultiple(of: 2))
    var mutator = SourceMutator(seed: seed, root: shop.source)
    mutator.fill()
    for _ in 0..<4 { mutator.change() }
    try shop.backup()
    let files = try SnapshotFiles(of: shop.snapshot(), in: shop.repository)
    let index = try StateIndex(
      files.state, in: shop.repository.containers.scratch, cancellation: shop.host.cancellation)
    let reader = files.state.makeReader()
    var children: [Path: [[UInt8]]] = [:]
    var links: [Path: UInt32] = [:]
    var entries: [Entry] = []
    while let entry = try reader.nextEntry() {
      entries.append(entry)
      if let parent = entry.path.parent { children[parent, default: []].append(Array(entry.path.lastComponent)) }
      if case .hardLink(let file) = entry.content { links[file, default: 1] += 1 }
    }
    #expect(index.count == entries.count)
    for entry in entries {
      let number = try #require(try index.number(of: entry.path), "\(entry.path), seed \(seed)")
      let item = try index.item(number)
      var found = try files.state.entry(at: item.offset).entry
      found.path = entry.path
      #expect(found == entry)
      let names = try index.children(of: number).map { try index.name(of: index.item($0)) }
      #expect(names == children[entry.path] ?? [], "\(entry.path), seed \(seed)")
      #expect(try index.child(Array("no such name".utf8), of: number) == nil)
      if let file = entry.file {
        #expect(try index.linkCount(ofFile: number) == links[entry.path] ?? 1, "\(entry.path), seed \(seed)")
        #expect(item.storedBytes <= file.size)
      }
    }
  }
}
