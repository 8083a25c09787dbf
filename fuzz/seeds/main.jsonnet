local images = import 'images.libsonnet';
{
  web: { image: 'r/web:%0', replicas: 2 },
  api+: {
    tag:: '%1',  // pinned
    args: ['--ref=%2'],
  },
}
