import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

private let sample = ExtendedAttribute(name: Array("user.shop".utf8), value: [0, 255, 10])

/// Extended attributes come back byte for byte, on what can be opened and on what cannot.
@Suite(.requires(.accessLists)) struct ExtendedAttributeTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()

  @Test func attributesRoundTripSortedByName() throws {
    TestFiles.write("x", to: directory.appending("file"))
    let file = try files.open(directory.appending("file"), .readWrite)
    var random = SeededRandom(seed: 51)
    let attributes = [
      ExtendedAttribute(name: Array("user.a".utf8), value: []),
      ExtendedAttribute(name: Array("user.b".utf8), value: random.bytes(1000)),
      ExtendedAttribute(name: Array("user.\u{e4}".utf8), value: Array("text".utf8)),
    ]
    for attribute in attributes.reversed() { try file.setExtendedAttribute(attribute) }
    #expect(try file.extendedAttributes() == attributes)
    #expect(try files.extendedAttributes(of: directory.appending("file")) == attributes)
    try file.setExtendedAttribute(ExtendedAttribute(name: Array("user.a".utf8), value: [1]))
    try file.removeExtendedAttribute(Array("user.b".utf8))
    #expect(try file.extendedAttributes().map(\.value) == [[1], Array("text".utf8)])
  }

  @Test func whatHasNoneGivesNone() throws {
    TestFiles.write("x", to: directory.appending("file"))
    #expect(try files.open(directory.appending("file"), .read).extendedAttributes() == [])
  }

  @Test func attributesOfALinkAreNotThoseOfItsTarget() throws {
    TestFiles.write("x", to: directory.appending("file"))
    TestFiles.symbolicLink("file", at: directory.appending("link"))
    let place = try files.open(directory.path, .directory)
    try files.openReference(Path("file"), beneath: place).setExtendedAttribute(sample)
    #expect(try files.extendedAttributes(of: directory.appending("file")) == [sample])
    #expect(try files.extendedAttributes(of: directory.appending("link")) == [])
    #expect(try files.extendedAttributes(of: Path("file"), in: place) == [sample])
    #expect(try files.extendedAttributes(of: Path("link"), in: place) == [])
    #expect(try files.openReference(Path("link"), beneath: place).extendedAttributes() == [])
    try files.openReference(Path("file"), beneath: place).removeExtendedAttribute(sample.name)
    #expect(try files.openReference(Path("file"), beneath: place).extendedAttributes() == [])
  }
}
