"""A local cache of Pods and ConfigMaps to query; no controller, no event loop of your own."""

import argparse

from zestor_controller import ClusterCache, Unstructured


def images(pod: Unstructured) -> list[str]:
    return [container["image"] for container in pod["spec"]["containers"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", help="KUBECONFIG unless given")
    parser.add_argument("--namespace", help="all unless given")
    parser.add_argument("--image", default="nginx:1.27", help="whose pods to list")
    options = parser.parse_args()
    namespaces = [options.namespace] if options.namespace else None

    with ClusterCache(kubeconfig=options.kubeconfig) as cache:
        pods = cache.add("v1/Pod", namespaces=namespaces, indexes={"image": images})
        configmaps = cache.add("v1/ConfigMap", namespaces=namespaces)

        print(f"{len(pods)} pods, {len(configmaps)} config maps; {pods.status}")
        for pod in pods.by_index("image", options.image):
            phase = (pod.get("status") or {}).get("phase", "Unknown")
            print(f"  {pod.metadata.namespace}/{pod.metadata.name} runs {options.image}: {phase}")
        for known in configmaps.metadata(namespace=options.namespace):
            print(f"  config map {known.namespace}/{known.name}, version {known.resource_version}")


if __name__ == "__main__":
    main()
