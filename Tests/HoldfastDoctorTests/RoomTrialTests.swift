import HoldfastDoctor
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// `check` tells in how many days the room of a target ends, and warns in time.
@Suite struct RoomTrialTests {
  private let site = Site()

  /// Takes a snapshot that stores about a MiB on each of the last days.
  private func backup(days: ClosedRange<Int64>) throws {
    for day in days.reversed() {
      let bytes = Randomness.system.bytes(1 << 20)
      TestFiles.write(bytes, to: site.orders.appending("first"))
      let machine = site.machine(clock: TestHost.clock(ahead: -day * 86_400))
      let repository = try RepositoryContext(RepositoryRequest(repository: "shop"), on: machine).open { _ in }
      var options = Backup.Options(source: site.orders)
      options.name = SourceName("orders")
      _ = try Backup(repository: repository, options: options, cache: machine.cache(), progress: QuietProgress()).run()
    }
  }

  private func line() throws -> (text: String, days: Int?) {
    let line = try #require(try site.lines(.room).first)
    return (line, line.firstMatch(of: /it is full in (\d+) days?/).flatMap { Int($0.1) })
  }

  @Test(.requires(.mounts)) func theDaysUntilItIsFullAreTold() throws {
    let disk = try SmallDisk(at: site.shop, mebibytes: 64)
    #expect(site.holdfast("init", "-r", "shop", "--unsealed").exitStatus == 0)
    try backup(days: 1...6)
    let much = try line()
    #expect(
      much.text.wholeMatch(
        of:
          /ok storage: [\d.]+ MiB are free; at least [\d.]+ [KM]iB are stored a day, and it is full in \d+ days at the latest/
      ) != nil, "\(much)")
    #expect((50...75).contains(try #require(much.days)), "\(much)")

    func fill(_ mebibytes: Int) { TestFiles.write([UInt8](repeating: 1, count: mebibytes << 20), to: ballast) }
    let ballast = site.shop.appending("ballast")
    fill(48)
    let little = try line()
    #expect(little.text.hasPrefix("warning storage: ") && (5...13).contains(little.days ?? 0), "\(little)")
    #expect(
      little.text.hasSuffix("\nHINT: Make room there, or run `holdfast prune -r shop --dry-run` to see what could go."))
    fill(57)
    let next = try line()
    #expect(next.text.hasPrefix("failed storage: "), "\(next)")
    site.tool.other("dd", "if=/dev/zero", "of=\(ballast.text)", "bs=64k")
    #expect(try line().text.hasPrefix("failed storage: 0 B are free\nHINT: Make room there, or run "))
    withExtendedLifetime(disk) {}
  }
}
