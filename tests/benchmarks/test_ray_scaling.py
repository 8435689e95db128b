from benchmarks.ray_scaling import VARIANTS, report


def test_ratios_are_of_the_same_round_and_have_targets() -> None:
    found = {f"{variant.name}, single": [10.0, 10.0, 10.0] for variant in VARIANTS}
    found |= {
        "two nodes, single": [40, 50, 60],
        "one node, batches": [100, 200, 50],
        "two nodes, batches": [190, 200, 95],
    }
    assert report(found).splitlines() == [
        "two nodes / twice one node (batches): 0.95 (0.50 to 0.95), at least 0.9: met",
        "service / plain, two nodes (single): 5.00 (4.00 to 6.00), at least 3: met",
        "service / plain with HAProxy, two nodes (single): 5.00 (4.00 to 6.00), at least 3: met",
    ]
